// The supervisor's tables: queues, agents, priorities and shifts as forms over the text of the files,
// with the text beside them.

import { html, useEffect, useState } from "../vendor/preact.js";
import { session } from "./api.js";
import { Conflict } from "./conflict.js";
import { discard, edit, files, folder, follow, ready, trouble } from "./drafts.js";
import { forget, TextEditor } from "./editor.js";
import { hintOf, messageOf } from "./phrases.js";
import { goTo, view } from "./routes.js";
import { learn, problems, sheet, structure } from "./sheets.js";
import { AgentTable } from "./tableagents.js";
import { HistoryTable } from "./tablehistory.js";
import { Notices } from "./tablenotices.js";
import { PriorityTable } from "./tablepriorities.js";
import { QueueTable } from "./tablequeues.js";
import { RuleTable } from "./tablerules.js";
import { SaveBar } from "./tablesave.js";
import { ShiftTable } from "./tableshifts.js";
import { UserTable } from "./tableusers.js";
import { t } from "./words.js";

const TABS = { queues: QueueTable, agents: AgentTable, priorities: PriorityTable, shifts: ShiftTable, rules: RuleTable, users: UserTable, files: null, history: HistoryTable };
const SECTION = { queues: "queues", agents: "agents", priorities: "queues", shifts: "queues", rules: "rules", users: "users" };
const WIDE = 1150;

session.subscribe(forget);

function Tabs({ tab }) {
  const step = (event) => {
    const all = Object.keys(TABS);
    const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key] * (document.documentElement.dir === "rtl" ? -1 : 1);
    if (!way) return;
    event.preventDefault();
    const next = all[(all.indexOf(tab) + way + all.length) % all.length];
    goTo(`#tables/${next}`);
    event.currentTarget.querySelector(`[href="#tables/${next}"]`).focus();
  };
  return html`<nav class="tabs" aria-label=${t("view.tables")} onKeyDown=${step}>${Object.keys(TABS).map((item) => html`<a key=${item} href=${`#tables/${item}`}
    aria-current=${item === tab ? "page" : undefined}>${t(`tables-tab.${item}`)}</a>`)}</nav>`;
}

/** The text of one file, with what is wrong in it as a list too. */
function Text({ name, onName, all, show, onCursor }) {
  const file = files.value.get(name);
  const [at, setAt] = useState(null);
  useEffect(() => { setAt(show); }, [show]);
  if (!file) return html`<section class="card text"><p class="none">${t("tables.no-file")}</p></section>`;
  const found = problems.value.filter((item) => item.file === name);
  const locked = !file.writable || Boolean(file.problem);
  return html`<section class="card text" aria-label=${t("tables.text-of", { file: name })}>
    <header class="bar">
      ${all ? html`<label><span class="hidden">${t("tables.file")}</span><select value=${name} onChange=${(event) => onName(event.currentTarget.value)}>
        ${[...files.value.values()].map((item) => html`<option key=${item.name} value=${item.name} selected=${item.name === name}>${item.name}${item.text === item.base ? "" : " •"}</option>`)}</select></label>`
        : html`<h2><bdi dir="ltr">${name}</bdi></h2>`}
      ${file.text !== file.base && html`<span class="warn">● ${t("tables.unsaved")}</span>
        <button onClick=${() => { if (confirm(t("tables.discard?", { file: name }))) discard(name); }}>${t("tables.discard")}</button>`}
      ${locked && html`<span class="locked"><span aria-hidden="true">🔒︎</span> ${file.problem ? t("tables.broken-file", { file: name }) : folder.value?.why_not_writable || t("tables.read-only")}</span>`}
    </header>
    ${file.problem && !file.text ? html`<p class="none"><bdi>${file.problem.text}</bdi></p>` : html`<${TextEditor} key=${name} name=${name} text=${file.text} latest=${() => files.value.get(name)?.text ?? ""} readOnly=${locked} problems=${found} show=${at} onInput=${(text) => edit(name, text)} onCursor=${onCursor} />`}
    <ul class="plain found" aria-label=${t("tables-editor.problems")}>${found.slice(0, 50).map((item) => html`<li key=${`${item.line}:${item.column}:${item.message}`}>
      <button class="plain jump" onClick=${() => setAt({ line: item.line, column: item.column, focus: true })}><span class=${item.severity === "warning" ? "warning" : "bad"} aria-hidden="true">${item.severity === "warning" ? "◆" : "▲"}</span>
        <span class="hidden">${item.severity === "warning" ? t("tables.warning") : t("tables.mistake")}</span> <bdi dir="ltr">${item.line}:${item.column}</bdi> <bdi>${messageOf(item)}</bdi> ${item.hint && html`<small><bdi>${hintOf(item)}</bdi></small>`}</button></li>`)}</ul>
  </section>`;
}

export function Tables() {
  const [, wanted = ""] = view.value.split("/");
  const tab = wanted in TABS ? wanted : "queues";
  const [chosen, setChosen] = useState({});
  const [own, setOwn] = useState("");
  const [show, setShow] = useState(null);
  const [shown, setShown] = useState("");
  const [beside, setBeside] = useState(innerWidth >= WIDE);
  const [conflict, setConflict] = useState("");
  useEffect(() => { learn(); return follow(); }, []);
  const section = SECTION[tab];
  const table = section && ready.value ? sheet(section) : null;
  useEffect(() => { // what the form begins with is what the text shows
    const place = table && (table.place([chosen[section] ?? table.ids[0] ?? ""]) ?? table.place([]));
    if (place && shown !== section) { setShown(section); setShow({ place: [place[0], place[0]] }); }
  });
  if (!ready.value) {
    const why = trouble.value === "offline" ? t("unreachable") : trouble.value;
    return html`<main class="tables"><${Tabs} tab=${tab} /><p class="none" role="status"><bdi>${why || "…"}</bdi></p></main>`;
  }
  const name = section ? table.name : files.value.has(own) ? own : [...files.value.keys()][0];
  const choose = (id) => setChosen({ ...chosen, [section]: id });
  const focus = (path) => { const place = table.place(path) ?? table.place(path.slice(0, 1)); if (place) setShow({ place }); };
  const pick = (id) => { choose(id); const place = table.place([id]); if (place) setShow({ place: [place[0], place[0]] }); };
  const cursor = (position) => {
    const path = structure(name, files.value.get(name).text).pathAt(position);
    if (section && path[0] === section && path[1] && path[1] !== chosen[section]) choose(String(path[1]));
  };
  const Form = TABS[tab];
  const text = tab === "files" || (section && beside);
  return html`<main class="tables">
    <div class="tables-head"><${Tabs} tab=${tab} />${section && html`<button aria-pressed=${beside} onClick=${() => setBeside(!beside)}>${t("tables.text")}</button>`}</div>
    <${Notices} onConflict=${setConflict} />
    <div class=${`tables-body ${text && section ? "both" : ""}`}>
      ${Form && html`<${Form} chosen=${chosen[section]} onChoose=${pick} onFocus=${focus} />`}
      ${text && html`<${Text} name=${name} all=${tab === "files"} onName=${setOwn} show=${show} onCursor=${cursor} />`}
    </div>
    <${SaveBar} onConflict=${setConflict} />
    ${conflict && html`<${Conflict} key=${conflict} name=${conflict} onClose=${() => setConflict("")} />`}
  </main>`;
}
