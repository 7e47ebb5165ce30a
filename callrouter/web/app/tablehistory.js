// Earlier changes of the files: who changed what, line by line, and back to before one.

import { html, useEffect, useState } from "../vendor/preact.js";
import { ask } from "./api.js";
import { byUs, changed, files, note } from "./drafts.js";
import { Doing } from "./fields.js";
import { attempt, Dialogue } from "./parts.js";
import { inWords, phrased } from "./phrases.js";
import { count, moment, t } from "./words.js";

/** How files were changed that no person saved on a page. */
const HOW = { file: "tables.how-file", reload: "tables.how-reload", start: "tables.how-start" };

/** The lines of a unified diff, coloured and marked. */
export const Lines = ({ lines }) => html`<pre class="diff" dir="ltr" tabindex="0">${lines.map((line, n) => html`<span key=${n}
  class=${/^(?:---|\+\+\+|@@)/.test(line) ? "about" : line[0] === "+" ? "plus" : line[0] === "-" ? "minus" : ""}>${line}${"\n"}</span>`)}</pre>`;

function Details({ number, onClose }) {
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState("");
  useEffect(() => { ask("GET", `/api/config/history/${number}`).then(setFound, (error) => setProblem(error.message)); }, [number]);
  return html`<${Dialogue} title=${t("tables.change-n", { number })} onClose=${onClose} wide=${true}>
    ${problem && html`<p class="problem">${problem}</p>`}
    ${found && html`<ul>${phrased(found.changes, found.changes_phrases).map((line) => html`<li key=${line}><bdi>${line}</bdi></li>`)}</ul><${Lines} lines=${found.diff} />`}</${Dialogue}>`;
}

/** What going back would change, to be confirmed. `number` null: back to what is in force. */
export function RollBack({ number, onClose, onDone }) {
  const [plan, setPlan] = useState(null);
  const [problem, setProblem] = useState("");
  const [held, setHeld] = useState([]);
  const [busy, setBusy] = useState(false);
  const etags = Object.fromEntries([...files.value.values()].filter((file) => file.etag).map((file) => [file.name, file.newer?.etag ?? file.etag]));
  useEffect(() => {
    ask("POST", "/api/config/rollback", { number, dry_run: true }).then(setPlan, (error) => {
      if (error.kind === "removals") { setPlan(error.problem); setHeld(phrased(error.problem.held ?? [], error.problem.held_phrases)); } else setProblem(error.message);
    });
  }, [number]);
  const go = async () => {
    setBusy(true);
    try {
      const done = await byUs(() => ask("POST", "/api/config/rollback", { number, confirm: held.length > 0, etags }));
      onClose();
      onDone?.(done);
    } catch (error) {
      if (error.kind === "removals") setHeld(phrased(error.problem.held ?? [], error.problem.held_phrases));
      setProblem(error instanceof TypeError ? t("unreachable") : error.message);
    }
    setBusy(false);
  };
  const unsaved = changed.value.map((file) => file.name);
  return html`<${Dialogue} title=${number === null ? t("tables.put-back") : t("tables.back-before", { number })} onClose=${onClose}>
    ${problem && html`<p class="problem" role="alert"><bdi>${problem}</bdi></p>`}
    ${plan && html`<p>${t("tables.would-change")}</p><ul>${phrased(plan.changes ?? [], plan.changes_phrases).map((line) => html`<li key=${line}><bdi>${line}</bdi></li>`)}</ul>
      ${!plan.changes?.length && html`<p class="below">${t("tables.only-text")}</p>`}
      ${plan.put_back?.length > 0 && html`<p>${t("tables.files-put-back", { files: plan.put_back.join(", ") })}</p>`}
      ${plan.removed?.length > 0 && html`<p>${t("tables.files-removed", { files: plan.removed.join(", ") })}</p>`}
      ${held.length > 0 && html`<p class="problem">${t("tables.removes-much")}</p><ul>${held.map((line) => html`<li key=${line}><bdi>${line}</bdi></li>`)}</ul>`}
      ${unsaved.length > 0 && html`<p>${t("tables.unsaved-stays", { files: unsaved.join(", ") })}</p>`}
      <p class="buttons"><button class=${held.length ? "danger" : "main"} disabled=${busy} onClick=${go}>${t("tables.roll-back")}</button><button onClick=${onClose}>${t("tables.leave-it")}</button></p>`}
  </${Dialogue}>`;
}

/** All changes on record, newest first. */
export function HistoryTable() {
  const [rows, setRows] = useState(null);
  const [problem, setProblem] = useState("");
  const [shown, setShown] = useState(null);
  const [back, setBack] = useState(null);
  const read = () => ask("GET", "/api/config/history").then((found) => { setRows(found.changes); setProblem(""); }, (error) => setProblem(error instanceof TypeError ? t("unreachable") : error.message));
  useEffect(() => { read(); }, []);
  const done = () => { note("rolled-back", ""); attempt(read); };
  return html`<section class="card history">
    <header class="bar"><h2>${t("tables-tab.history")}</h2><button onClick=${read}>${t("tables.refresh")}</button></header>
    ${problem && html`<p class="problem" role="alert"><bdi>${problem}</bdi></p>`}
    ${rows?.length === 0 && html`<p class="none">${t("tables.no-history")}</p>`}
    <ol class="plain changes">${(rows ?? []).map((row, n) => html`<li key=${row.number}>
      <div class="what"><p><strong>${count(row.number)}</strong> <time datetime=${row.at}>${moment(row.at)}</time> <bdi class="about">${row.who}</bdi> <small><bdi>${HOW[row.how] ? t(HOW[row.how]) : inWords(row.how, row.how_phrase)}</bdi></small></p>
        <ul>${phrased(row.changes, row.changes_phrases).map((line) => html`<li key=${line}><bdi>${line}</bdi></li>`)}</ul>
        ${!row.changes.length && html`<p class="below">${t("tables.only-text")}</p>`}
        <p class="below"><bdi>${row.files.join(", ")}</bdi></p></div>
      <p class="group"><button onClick=${() => setShown(row.number)}>${t("tables.lines")}</button>
        <${Doing} why=${n === rows.length - 1 ? t("tables.first-change") : ""} onClick=${() => setBack(row.number)}>${t("tables.back-to-before")}</${Doing}></p></li>`)}</ol>
    ${shown !== null && html`<${Details} number=${shown} onClose=${() => setShown(null)} />`}
    ${back !== null && html`<${RollBack} number=${back} onClose=${() => setBack(null)} onDone=${done} />`}
  </section>`;
}
