// When a queue is open and who serves when: the hours, the shifts, and a picture of the week.

import { html, useState } from "../vendor/preact.js";
import { Doing, Line } from "./fields.js";
import { sheet } from "./sheets.js";
import { Levels } from "./tablepriorities.js";
import { Locked, NARROW, Picker } from "./tableparts.js";
import { count, language, LANGUAGES, t } from "./words.js";
import { dayNames, spans } from "./week.js";

const HOUR = 60;
const WIDTH = 24 * HOUR;
const ROW = 90;
const BAR = 30;

/** The week as a picture: the hours in which the queue is open, and on them each shift. */
function Week({ hours, shifts }) {
  const locale = LANGUAGES[language.value].locale;
  const open = hours ? spans(hours) : DAYS_OPEN;
  const lanes = shifts.map((shift) => spans(shift?.hours ?? "") ?? []);
  const right = LANGUAGES[language.value].dir === "rtl";
  const x = (from, to) => (right ? WIDTH - to : from);
  const label = t("tables.week", { shifts: shifts.length });
  const small = innerWidth < NARROW; // where letters are larger, beside a smaller picture
  const beside = small ? 340 : 170;
  const marks = small ? [0, 6, 12, 18, 24] : [0, 3, 6, 9, 12, 15, 18, 21, 24];
  return html`<figure class=${`week ${small ? "small" : ""}`}><svg viewBox=${`${right ? -50 : -beside} ${small ? -90 : -50} ${WIDTH + beside + 50} ${7 * ROW + (small ? 100 : 60)}`} role="img" aria-label=${label}>
    ${marks.map((hour) => html`<g key=${hour}><line class="tick" x1=${x(hour * HOUR, hour * HOUR)} x2=${x(hour * HOUR, hour * HOUR)} y1="0" y2=${7 * ROW} />
      <text class="hour" x=${x(hour * HOUR, hour * HOUR)} y="-10">${count(hour)}</text></g>`)}
    ${dayNames(locale).map((name, day) => html`<text key=${name} class="day" x=${right ? WIDTH + 25 : -25} y=${day * ROW + 58}>${name}</text>`)}
    ${(open ?? []).map(([day, from, to], n) => html`<rect key=${`open${n}`} class="open" x=${x(from, to)} width=${to - from} y=${day * ROW + 8} height=${ROW - 16} rx="8"><title>${t("tables.open")}</title></rect>`)}
    ${lanes.flatMap((lane, shift) => lane.map(([day, from, to], n) => html`<rect key=${`${shift}-${n}`} class=${`shift tone-${shift % 4}`} x=${x(from, to)} width=${to - from}
      y=${day * ROW + 12 + (shift % 2) * (BAR + 6)} height=${BAR} rx="6"><title>${t("tables.shift-n", { number: shift + 1 })}</title></rect>`))}
  </svg><figcaption><span class="key open" aria-hidden="true">■</span> ${t("tables.open")}
    ${shifts.map((shift, n) => html` <span key=${n} class=${`key tone-${n % 4}`} aria-hidden="true">■</span> ${t("tables.shift-n", { number: n + 1 })}`)}</figcaption></figure>`;
}
const DAYS_OPEN = [0, 1, 2, 3, 4, 5, 6].map((day) => [day, 0, WIDTH]);

function Shift({ table, id, n, size, locked, onFocus }) {
  const path = [id, "shifts", n];
  const swap = (way) => table.change((now) => now.swap(["queues", id, "shifts"], n, n + way));
  const first = locked || (n === 0 ? t("tables.is-first") : "");
  const last = locked || (n === size - 1 ? t("tables.is-last") : "");
  const name = t("tables.shift-n", { number: n + 1 });
  return html`<fieldset class="phone"><legend>${name}</legend>
    <div class="fields"><${Line} table=${table} path=${[...path, "hours"]} label=${t("tables-field.hours")} help=${t("tables-help.hours")} kind="text" wide=${true} locked=${locked} onFocus=${onFocus} /></div>
    <${Levels} table=${table} path=${[...path, "agents"]} locked=${locked} onFocus=${onFocus} />
    <p class="group"><${Doing} why=${first} label=${t("tables.up", { name })} onClick=${() => swap(-1)}>▲</${Doing}>
      <${Doing} why=${last} label=${t("tables.down", { name })} onClick=${() => swap(1)}>▼</${Doing}>
      <${Doing} kind="danger" why=${locked} label=${`${t("remove")}: ${name}`} onClick=${() => table.remove(size === 1 ? [id, "shifts"] : path)}>${t("remove")}</${Doing}></p>
  </fieldset>`;
}

/** Hours and shifts of the queues. */
export function ShiftTable({ chosen, onChoose, onFocus }) {
  const [said, setSaid] = useState("");
  const table = sheet("queues");
  const id = table.ids.includes(chosen) ? chosen : table.ids[0];
  const locked = id === undefined ? "" : table.why(id);
  const found = id === undefined ? [] : table.value([id, "shifts"]);
  const shifts = Array.isArray(found) ? found : [];
  const add = () => {
    table.set([id, "shifts", shifts.length], { hours: "mon-fri 17:00-20:00", agents: {} }, ["name", "policy", "agents", "hours"]);
    setSaid(t("tables.shift-n", { number: shifts.length + 1 }));
  };
  return html`<div class="sheet">
    <${Picker} table=${table} chosen=${id} onChoose=${onChoose} onAdd=${(name) => { table.set([name], { name, agents: [] }); onChoose(name); }} what="queue" />
    ${id !== undefined && html`<form class="entry" key=${id} onSubmit=${(event) => event.preventDefault()} aria-label=${id}>
      <header><h2><bdi>${table.value([id, "name"]) ?? id}</bdi></h2></header>
      <${Locked} why=${locked} />
      <div class="fields">${[["hours", "text", true], ["holidays", "list", true], ["timezone", "text"], ["on_closed", "text"]].map(([key, kind, wide]) => html`<${Line} key=${key} table=${table} path=${[id, key]}
        label=${t(`tables-field.${key}`)} help=${t(`tables-help.${key}`)} kind=${kind} wide=${wide} locked=${locked} onFocus=${onFocus} after=${["name", "policy", "agents", "hours"]} />`)}</div>
      <${Week} hours=${table.value([id, "hours"])} shifts=${shifts} />
      <p class="below">${t("tables.shifts-help")}</p>
      ${shifts.map((_, n) => html`<${Shift} key=${n} table=${table} id=${id} n=${n} size=${shifts.length} locked=${locked} onFocus=${onFocus} />`)}
      <${Doing} why=${locked} onClick=${add}>+ ${t("tables.add-shift")}</${Doing}>
      <p class="hidden" role="status">${said}</p>
    </form>`}</div>`;
}
