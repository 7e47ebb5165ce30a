// The reports: what is on record as figures, with the calls behind each, curves, and files to keep.

import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { session } from "./api.js";
import { agents, queues } from "./live.js";
import { attempt, Mixed } from "./parts.js";
import { Curves, hasCurves } from "./reportcurves.js";
import { addressOf, asked, download, go, LENGTHS, PERIODS, report, REPORTS } from "./reportstate.js";
import { ReportTable } from "./reporttable.js";
import { phrased } from "./phrases.js";
import { loadFigures, shownPeriod, titleOf } from "./reportwords.js";
import { view } from "./routes.js";
import { language, share, t, wordFor } from "./words.js";

const FORMATS = ["csv", "xlsx", "png"];

/** A menu of one choice of a report. */
const Choice = ({ name, value, items, empty, onChange }) => html`<label>${t(`reports.${name}`)}
  <select value=${value ?? ""} onChange=${(event) => onChange(event.currentTarget.value)}>
    ${empty !== undefined && html`<option value="">${empty}</option>`}
    ${items.map(([id, text]) => html`<option key=${id} value=${id}>${text}</option>`)}
    ${value && !items.some(([id]) => id === value) && html`<option value=${value}>${value}</option>`}</select></label>`;

const named = (rows) => [...rows.values()].map((row) => [row.id, row.name]).sort((one, two) => one[1].localeCompare(two[1]));

/** From and to, in the site's time; sent as they were written, so that the daemon says what is wrong with them. */
function FreePeriod({ period, onChange }) {
  const [first = "", last = ""] = PERIODS.includes(period) ? [] : (period ?? "").split("..").map((part) => part.trim().slice(0, 16));
  const whole = (text) => (text && text.length === 10 ? `${text}T00:00` : text);
  const [from, setFrom] = useState(whole(first));
  const [to, setTo] = useState(whole(last));
  const send = (event) => { event.preventDefault(); onChange(`${from}..${to}`); };
  return html`<form class="free" onSubmit=${send}>
    <label>${t("reports.from")}<input type="datetime-local" value=${from} required onInput=${(event) => setFrom(event.currentTarget.value)} /></label>
    <label>${t("reports.to")}<input type="datetime-local" value=${to} required onInput=${(event) => setTo(event.currentTarget.value)} /></label>
    <button class="main">${t("reports.show")}</button></form>`;
}

function Choices({ state }) {
  const has = REPORTS[state.what] ?? {};
  const preset = !state.period || PERIODS.includes(state.period);
  const [freeAfter, setFreeAfter] = useState(null); // the period that was shown when a free one was asked for
  const free = !preset || freeAfter === (state.period ?? "");
  // By the address, not by what was drawn: arrow keys change a menu faster than a slow machine draws it.
  const set = (name) => (value) => go({ ...asked(), [name]: value, ...(name === "what" ? { sort: "", figure: "" } : {}) });
  const setPeriod = (value) => { if (value === "free") setFreeAfter(asked().period ?? ""); else { setFreeAfter(null); set("period")(value); } };
  const whats = Object.keys(REPORTS).map((what) => [what, t(`reports.what.${what}`)]);
  return html`<div class="card choices" role="search" aria-label=${t("reports.choices")}>
    <${Choice} name="what" value=${state.what} items=${whats} onChange=${set("what")} />
    <${Choice} name="period" value=${free ? "free" : state.period || "today"} items=${[...PERIODS, "free"].map((item) => [item, t(`reports.period.${item}`)])} onChange=${setPeriod} />
    ${has.by && html`<${Choice} name="by" value=${state.by} empty=${t(state.what === "hours" ? "reports.by.1h" : "reports.by.none")}
      items=${LENGTHS.filter((item) => state.what !== "hours" || item !== "1h").map((item) => [item, t(`reports.by.${item}`)])} onChange=${set("by")} />`}
    ${has.queue && html`<${Choice} name="queue" value=${state.queue} empty=${t("reports.all-queues")} items=${named(queues.value)} onChange=${set("queue")} />`}
    ${has.agent && session.value.role !== "agent" && html`<${Choice} name="agent" value=${state.agent} empty=${t("reports.all-agents")} items=${named(agents.value)} onChange=${set("agent")} />`}
    ${free && html`<${FreePeriod} key=${state.period} period=${state.period} onChange=${set("period")} />`}
  </div>`;
}

/** What a list of calls is about: the figure that they make, and the way back. */
function OfFigure({ state, found }) {
  const [what] = state.figure.split(".");
  const name = state.figure.slice(what.length + 1);
  const title = titleOf(what, { name, title: found?.title ?? name });
  return html`<p class="of-figure">${t("reports.of-figure", { title: wordFor(`reports.what.${what}`, what), figure: title, count: found ? found.rows.length : 0 })}
    <button onClick=${() => history.back()}>${t("reports.back")}</button>
    <a class="button" href=${addressOf({ ...state, figure: "", sort: "" })}>${t("reports.every-call")}</a></p>`;
}

function Files({ state }) {
  const [busy, setBusy] = useState("");
  const keep = async (format) => { setBusy(format); await attempt(() => download(state, format)); setBusy(""); };
  return html`<div class="group files" role="group" aria-label=${t("reports.download")}>
    ${FORMATS.filter((format) => format !== "png" || REPORTS[state.what]?.png).map((format) => html`<button key=${format} disabled=${busy !== ""} onClick=${() => keep(format)}
      aria-label=${t("reports.download-as", { format: format.toUpperCase() })}><span aria-hidden="true">⤓</span> ${format.toUpperCase()}${busy === format ? " …" : ""}</button>`)}</div>`;
}

function Working({ done, onCancel }) {
  return html`<div class="card working"><p role="status">${t("reports.working", { share: share(done) })}</p>
    <progress max="1" value=${done || undefined} aria-label=${t("reports.progress")}></progress>
    <button onClick=${onCancel}>${t("reports.cancel")}</button></div>`;
}

const titleFor = (state) => (state.what === "call" ? t("reports.story", { call: state.call ?? "" }) : t(`reports.what.${state.what}`));

export function Reports() {
  const state = asked();
  const [made, setMade] = useState({});
  const heading = useRef(null);
  const running = useRef(null);
  const wanted = JSON.stringify([state.what, state.period, state.by, state.queue, state.agent, state.call, state.figure]);
  useEffect(() => { loadFigures(language.value).catch(() => undefined); }, [language.value]);
  const make = () => {
    const own = new AbortController();
    running.current?.abort();
    running.current = own;
    setMade({ done: 0 });
    report(state, (done) => setMade({ done }), own.signal).then(
      (found) => setMade({ found, wanted }),
      (error) => { if (running.current === own) setMade({ problem: own.signal.aborted ? t("reports.cancelled") : error instanceof TypeError ? t("unreachable") : error.message }); },
    );
    return () => { running.current = null; own.abort(); };
  };
  useEffect(make, [wanted]);
  useEffect(() => { if (state.figure || state.what === "call") heading.current?.focus(); }, [view.value]);
  const found = made.wanted === wanted ? made.found : null;
  const label = titleFor(state);
  return html`<main class="reports">
    <h1 tabindex="-1" ref=${heading}>${label}</h1>
    ${state.what !== "call" && html`<${Choices} key=${state.what} state=${state} />`}
    ${state.figure && html`<${OfFigure} state=${state} found=${found} />`}
    ${made.problem && html`<div class="card"><p class="problem" role="alert"><bdi>${made.problem}</bdi></p><button onClick=${make}>${t("try-again")}</button></div>`}
    ${!found && !made.problem && html`<${Working} done=${made.done ?? 0} onCancel=${() => running.current?.abort()} />`}
    ${found && html`<section class="card" aria-label=${label}>
        <header class="about-report"><p><bdi>${shownPeriod(found)}</bdi> <small><bdi>${found.timezone}</bdi></small></p>
          ${state.what === "queues" && found.rows.length > 0 && html`<a class="button" href=${addressOf({ ...state, what: "hours", by: "", sort: "" })}>${t("reports.show-curves")}</a>`}<${Files} state=${state} /></header>
        <${ReportTable} key=${wanted} found=${found} state=${state} label=${label} />
        ${found.notes.length > 0 && html`<ul class="notes">${phrased(found.notes, found.notes_phrases).map((note) => html`<li key=${note}><bdi><${Mixed} text=${note.replaceAll("`", "")} /></bdi></li>`)}</ul>`}
      </section>
      ${hasCurves(found) && html`<${Curves} found=${found} />`}`}
  </main>`;
}
