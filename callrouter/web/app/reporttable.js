// The table of a report: sorted by any column, each figure a link to the calls that make it.

import { html, useMemo, useState } from "../vendor/preact.js";
import { session } from "./api.js";
import { Dialogue } from "./parts.js";
import { addressOf, go, periodOf, storyOf, valueOf } from "./reportstate.js";
import { meaningOf, shown, titleOf, unitOf } from "./reportwords.js";
import { t } from "./words.js";

const FIRST = 100;
const MORE = 400;
/** Columns that the daemon would leave out first are shown when all are asked for. */
const USUAL = 10;
const TEXTS = ["text", "time", "interval"];

/** Figures of a total that are said in words, in the language of the page. */
const IN_WORDS = {
  "abandoned.queue": (rows) => t("reports.total-calls", { count: rows.length }),
  "abandoned.called_back_by": (rows) => t("reports.total-spoken-to", { count: rows.filter((row) => valueOf(row, "called_back_at") !== null).length }),
};

/** The columns that are shown: all, or those that matter most. */
export const columnsOf = (found, all) => found.columns.filter((column) => all || column.drop <= USUAL || column.name === "call");

/** Compare two values; what has no figure comes last, whichever way the rows are sorted. */
function compare(one, two, down) {
  if (one === null || two === null) return (one === null) - (two === null);
  const found = typeof one === "string" ? one.localeCompare(two) : one - two;
  return down ? -found : found;
}

/** The address of the calls that make a figure; undefined: no calls make it, or they are not for this person. */
function callsOf(found, column, row, state) {
  const own = session.value.role === "agent" && found.what !== "agents";
  const value = valueOf(row, column.name);
  // Nothing makes a count of 0; a share of 0 has its calls all the same.
  if (!column.has_calls || own || value === null || (value === 0 && column.shown !== "share")) return undefined;
  const total = row === found.total;
  return addressOf({
    what: "calls", figure: `${found.what}.${column.name}`, period: periodOf(found, total ? null : row),
    queue: total ? state.queue : row.queue ?? state.queue, agent: total ? state.agent : row.agent ?? state.agent,
  });
}

function Cell({ found, column, row, state }) {
  const value = valueOf(row, column.name);
  // Where the names stand in a column of their own, the ids do too.
  const id = state.all && ["queue", "agent"].includes(column.name) && "name" in row;
  const text = html`<bdi>${id ? value : shown(value, column, found)}</bdi>`;
  if (column.name === "call" && value && found.what !== "call" && row !== found.total) {
    return html`<a href=${storyOf(value)}>${text}</a>`;
  }
  const to = callsOf(found, column, row, state);
  return to ? html`<a href=${to} title=${t("reports.calls-of", { title: titleOf(found.what, column) })}>${text}</a>` : text;
}

function Heading({ found, column, sort, onMeaning }) {
  const title = titleOf(found.what, column);
  const down = sort === `-${column.name}`;
  const sorted = down || sort === column.name;
  // Numbers are sorted from the top first, texts from the beginning.
  const next = sorted ? (down ? column.name : `-${column.name}`) : TEXTS.includes(column.shown) ? column.name : `-${column.name}`;
  return html`<th scope="col" class=${TEXTS.includes(column.shown) ? "" : "figure"} aria-sort=${sorted ? (down ? "descending" : "ascending") : undefined}>
    <span class="heading"><button class="plain" onClick=${() => onMeaning.sort(next)}>${title} <span aria-hidden="true">${sorted ? (down ? "▼" : "▲") : ""}</span></button>
    ${column.meaning && html`<button class="plain meaning" onClick=${() => onMeaning.tell(column)} aria-label=${t("reports.meaning-of", { title })} title=${meaningOf(found.what, column)}>ⓘ</button>`}</span></th>`;
}

function Meaning({ found, column, onClose }) {
  const unit = unitOf(column);
  return html`<${Dialogue} title=${titleOf(found.what, column)} onClose=${onClose}>
    <p>${meaningOf(found.what, column)}</p>
    ${unit && html`<p>${t("reports.unit", { unit })}</p>`}
    <p><small>${t("reports.named", { name: "" })}<bdi dir="ltr"><code>${found.what}.${column.name}</code></bdi></small></p></${Dialogue}>`;
}

/** The table. `state` is what the address asks for, and says how it is sorted and which columns it has. */
export function ReportTable({ found, state, label }) {
  const [most, setMost] = useState(FIRST);
  const [told, setTold] = useState(null);
  const { sort = "" } = state;
  const columns = columnsOf(found, state.all);
  const rows = useMemo(() => {
    const name = sort.replace(/^-/, "");
    if (!found.columns.some((column) => column.name === name)) return found.rows;
    const down = sort.startsWith("-");
    return [...found.rows].sort((one, two) => compare(valueOf(one, name), valueOf(two, name), down));
  }, [found, sort]);
  const acts = { sort: (next) => go({ ...state, sort: next }, true), tell: setTold };
  const line = (row, key, kind) => html`<tr key=${key} class=${kind}>${columns.map((column, place) => {
    const inWords = kind === "total" && IN_WORDS[`${found.what}.${column.name}`];
    const cell = inWords ? inWords(found.rows) : html`<${Cell} found=${found} column=${column} row=${row} state=${state} />`;
    const kinds = TEXTS.includes(column.shown) ? (column.shown === "text" ? "" : "time") : "figure";
    return place === 0 ? html`<th scope="row" key=${column.name} class=${kinds}>${kind === "total" && [null, "all"].includes(valueOf(row, column.name)) ? t("reports.total") : cell}</th>`
      : html`<td key=${column.name} class=${kinds}>${kind === "total" && kinds !== "figure" && [null, "all"].includes(valueOf(row, column.name)) ? "" : cell}</td>`;
  })}</tr>`;
  if (rows.length === 0) return html`<p class="none">${t("reports.nothing")}</p>`;
  return html`<div class="scroll report-scroll" tabindex="0" role="region" aria-label=${label}>
      <table class="report"><caption class="hidden">${label}</caption>
      <thead><tr>${columns.map((column) => html`<${Heading} key=${column.name} found=${found} column=${column} sort=${sort} onMeaning=${acts} />`)}</tr></thead>
      <tbody>${rows.slice(0, most).map((row, place) => line(row, place, ""))}</tbody>
      ${found.total && html`<tfoot>${line(found.total, "total", "total")}</tfoot>`}</table></div>
    <p class="below"><span>${t("reports.rows", { count: rows.length })}</span>
      ${rows.length > most && html`<button onClick=${() => setMost(most + MORE)}>${t("reports.more", { count: Math.min(MORE, rows.length - most) })}</button>`}
      ${found.columns.length > columnsOf(found, false).length && html`<label class="check"><input type="checkbox" checked=${Boolean(state.all)}
        onChange=${(event) => go({ ...state, all: event.currentTarget.checked ? "1" : "" }, true)} /> ${t("reports.all-columns", { count: found.columns.length })}</label>`}</p>
    ${told && html`<${Meaning} found=${found} column=${told} onClose=${() => setTold(null)} />`}`;
}
