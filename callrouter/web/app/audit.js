// The audit: who did what, the last act first, by person and by what it is about.

import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { useAnswers } from "./answers.js";
import { ask } from "./api.js";
import { inWords } from "./phrases.js";
import { dayAndTime, t, wordFor } from "./words.js";

const PAGE = 50;
const SHAPES = { done: "✓", refused: "✕", failed: "▲" };
const FIELDS = ["who", "target", "from", "to"];

/** The query of a form with fields of these names; a day's end is the beginning of the next day. */
function queryOf(wanted, cursor) {
  const query = new URLSearchParams({ limit: PAGE });
  for (const name of FIELDS) if (wanted[name]) query.set(name, wanted[name]);
  if (wanted.to) {
    const [year, month, day] = wanted.to.split("-").map(Number);
    query.set("to", new Date(Date.UTC(year, month - 1, day + 1)).toISOString().slice(0, 10));
  }
  if (cursor) query.set("cursor", cursor);
  return `/api/audit?${query}`;
}

const Values = ({ of, phrases = {} }) => Object.entries(of).map(([name, value]) => html`<span key=${name} class="value">
  ${/^\d+$/.test(name) ? "" : html`<small>${wordFor(`audit.value.${name}`, name)}:</small> `}<bdi>${inWords(value, phrases[name])}</bdi></span>`);

function Row({ act, about }) {
  const what = [...new Set([act.agent, act.queue, act.call, act.target])].filter(Boolean);
  return html`<tr class=${act.outcome}>
    <td data-title=${t("audit.at")}><bdi class="time">${dayAndTime(act.at, true)}</bdi></td>
    <td data-title=${t("audit.who")}><bdi>${act.who || t("audit.unknown")}</bdi>${" "}
      <small class="from">${t(`audit.via.${act.via}`)}${act.from && html` · <bdi dir="ltr">${act.from}</bdi>`}</small></td>
    <td data-title=${t("audit.act")}>${wordFor(`audit.act.${act.act}`, act.act)}</td>
    <td data-title=${t("audit.about")}>${what.map((id) => html`<button key=${id} type="button" class="plain link"
      onClick=${() => about(id)} title=${t("audit.only", { name: id })}><bdi>${id}</bdi></button>`)}</td>
    <td data-title=${t("audit.values")} class="values"><${Values} of=${act.values} phrases=${act.values_phrases} /></td>
    <td data-title=${t("audit.outcome")} class="outcome"><span aria-hidden="true">${SHAPES[act.outcome]}</span> ${t(`audit.${act.outcome}`)}
      ${act.kind && html` <small><bdi>${wordFor(`audit.kind.${act.kind}`, act.kind)}</bdi></small>`}</td></tr>`;
}

export function Audit() {
  const [acts, setActs] = useState(null);
  const [next, setNext] = useState(null);
  const [problem, setProblem] = useState("");
  const [wanted, setWanted] = useState({});
  const form = useRef(null);
  const answers = useAnswers(wanted);
  const load = async (cursor) => {
    const counts = answers();
    try {
      const page = await ask("GET", queryOf(wanted, cursor));
      if (!counts()) return;
      setActs((before) => (cursor ? [...before, ...page.acts] : page.acts));
      setNext(page.next);
      setProblem("");
    } catch (error) {
      if (counts()) setProblem(error instanceof TypeError ? t("unreachable") : error.message);
    }
  };
  useEffect(() => { load(null); }, [wanted]);
  const look = (event) => {
    event.preventDefault();
    const given = new FormData(form.current);
    setWanted(Object.fromEntries(FIELDS.map((name) => [name, String(given.get(name)).trim()])));
  };
  const about = (id) => {
    form.current.elements.target.value = id;
    form.current.requestSubmit();
  };
  const clear = () => { form.current.reset(); setWanted({}); };
  return html`<form class="bar filter" ref=${form} onSubmit=${look} role="search" aria-label=${t("audit.filter")}>
      <label>${t("audit.who")}<input name="who" maxlength="200" autocapitalize="none" spellcheck=${false} /></label>
      <label>${t("audit.about")}<input name="target" maxlength="200" autocapitalize="none" spellcheck=${false} /></label>
      <label>${t("audit.from")}<input name="from" type="date" /></label>
      <label>${t("audit.to")}<input name="to" type="date" /></label>
      <button class="main">${t("audit.show")}</button>
      <button type="button" onClick=${clear}>${t("audit.all")}</button>
    </form>
    <p class="problem" role="alert">${problem}</p>
    ${acts === null ? html`<p>…</p>` : acts.length === 0 ? html`<p class="none" role="status">${t("audit.none")}</p>` : html`
    <div class="scroll"><table class="stack acts"><caption class="hidden">${t("audit.title")}</caption><thead><tr>
      ${["at", "who", "act", "about", "values", "outcome"].map((name) => html`<th key=${name} scope="col">${t(`audit.${name}`)}</th>`)}</tr></thead>
      <tbody>${acts.map((act) => html`<${Row} key=${act.id} act=${act} about=${about} />`)}</tbody></table></div>
    ${next && html`<button onClick=${() => load(next)}>${t("audit.more")}</button>`}`}`;
}
