// Who is rung first in a queue: agents with their levels, moved by buttons, keys or the mouse.

import { html, useRef, useState } from "../vendor/preact.js";
import { Doing } from "./fields.js";
import { members, setMember, sheet, whyNotValue } from "./sheets.js";
import { Locked, Picker } from "./tableparts.js";
import { count, t } from "./words.js";

const BEST = 1;
const WORST = 100;
const STEP = 10;

/** The levels of a queue, best first, each with its agents in the order in which they are written. */
export function levelsOf(list) {
  const levels = [...new Set(list.map(([, level]) => level))].sort((one, two) => one - two);
  return levels.map((level) => [level, list.filter(([, own]) => own === level).map(([id]) => id)]);
}

/** The level that an agent gets by one step up (-1) or down (1); null: there is no further one. A step leads
 * to the next level that is in use; beyond the last one, to a level of the agent's own. */
export function stepped(list, id, way) {
  const levels = levelsOf(list);
  const at = levels.findIndex(([, ids]) => ids.includes(id));
  const next = levels[at + way];
  if (next) return next[0];
  const [level, ids] = levels[at];
  if (ids.length === 1) return null;
  const wanted = way < 0 ? level - 1 : Math.min(WORST, level + STEP);
  return wanted < BEST || wanted === level ? null : wanted;
}

function Row({ id, level, name, list, locked, onLevel, onMove, onRemove, drag }) {
  const edge = (way) => locked || (stepped(list, id, way) === null ? t(way < 0 ? "tables.is-first" : "tables.is-last") : "");
  const keys = (event) => {
    const way = event.altKey && { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!way) return;
    event.preventDefault();
    if (!edge(way)) onMove(way);
  };
  return html`<li class="member" data-agent=${id} draggable=${!locked} onKeyDown=${keys} ...${drag}>
    <span class="grip" aria-hidden="true">⠿</span>
    <span class="name"><bdi>${name}</bdi> ${name !== id && html`<small><bdi>${id}</bdi></small>`}</span>
    <label class="level"><span class="hidden">${t("tables.level-of", { name })}</span>
      <input type="number" min="1" max="100" value=${level} disabled=${Boolean(locked)} onChange=${(event) => onLevel(Number(event.currentTarget.value))} /></label>
    <span class="group"><${Doing} why=${edge(-1)} label=${t("tables.up", { name })} onClick=${() => onMove(-1)}>▲</${Doing}>
      <${Doing} why=${edge(1)} label=${t("tables.down", { name })} onClick=${() => onMove(1)}>▼</${Doing}>
      <${Doing} why=${locked} label=${t("tables.take-out", { name })} onClick=${onRemove}>✕</${Doing}></span></li>`;
}

/** Who can be added: chosen first, and added by the button, since the arrow keys change a menu on their way. */
function AddMember({ free, nameOf, locked, onAdd }) {
  const [chosen, setChosen] = useState("");
  const menu = useRef(null);
  const id = free.includes(chosen) ? chosen : "";
  const add = () => { if (id) onAdd(id); menu.current.focus(); };
  return html`<div class="pair add-member"><label class="field"><span>${t("tables.add-member")}</span>
      <select ref=${menu} value=${id} disabled=${Boolean(locked) || !free.length} title=${locked} onChange=${(event) => setChosen(event.currentTarget.value)}>
        <option value="">–</option>${free.map((one) => html`<option key=${one} value=${one}>${nameOf(one)}</option>`)}</select></label>
    <button type="button" disabled=${Boolean(locked) || !free.length} onClick=${add}>${t("tables.add")}</button></div>`;
}

/** The levels of one list of agents (of a queue, or of a shift), to be changed. */
export function Levels({ table, path, locked: outer, onFocus }) {
  const [said, setSaid] = useState("");
  const dragged = useRef(null);
  const box = useRef(null);
  const agents = sheet("agents");
  const list = members(table.value(path));
  const locked = outer || whyNotValue(table.value(path));
  const nameOf = (id) => String(agents.value([id, "name"]) ?? id);
  const put = (id, level) => {
    if (!(level >= BEST && level <= WORST)) return;
    setMember(table, path, id, level);
    onFocus?.([...path, id]);
    setSaid(t("tables.now-at", { name: nameOf(id), level }));
  };
  const move = (id, way) => {
    const focused = document.activeElement?.getAttribute("aria-label");
    put(id, stepped(list, id, way));
    // The row stands elsewhere now; the focus goes with it.
    requestAnimationFrame(() => box.current?.querySelector(`[data-agent="${CSS.escape(id)}"] [aria-label="${CSS.escape(focused ?? "")}"]`)?.focus());
  };
  const dropOn = (level) => ({
    onDragOver: (event) => { if (dragged.current && !locked) event.preventDefault(); },
    onDrop: (event) => { event.preventDefault(); if (dragged.current) put(dragged.current, level); dragged.current = null; },
  });
  const free = agents.ids.filter((id) => !list.some(([own]) => own === id));
  const levels = levelsOf(list);
  return html`<div class="levels" ref=${box}>
    ${!list.length && html`<p class="none">${t("tables.no-members")}</p>`}
    ${levels.map(([level, ids], n) => html`<section key=${level} class="level-group" aria-label=${t("tables.level-n", { level })} ...${dropOn(level)}>
      <h3>${t("tables.level-n", { level })} <small>${n === 0 ? t("tables.rung-first") : t("tables.rung-then")}</small></h3>
      <ul class="plain">${ids.map((id) => html`<${Row} key=${id} id=${id} level=${level} name=${nameOf(id)} list=${list} locked=${locked}
        onLevel=${(next) => put(id, next)} onMove=${(way) => move(id, way)} onRemove=${() => setMember(table, path, id, null)}
        drag=${{ onDragStart: () => { dragged.current = id; }, onDragEnd: () => { dragged.current = null; } }} />`)}</ul></section>`)}
    ${levels.length > 0 && levels.at(-1)[0] < WORST && html`<div class="drop-last" ...${dropOn(Math.min(WORST, levels.at(-1)[0] + STEP))}>${t("tables.drop-last")}</div>`}
    <${AddMember} free=${free} nameOf=${nameOf} locked=${locked} onAdd=${(id) => put(id, levels.at(-1)?.[0] ?? BEST)} />
    <p class="hidden" role="status" aria-live="polite">${said}</p>
  </div>`;
}

/** The priorities of all queues: the agents of one in their order, and a table of all levels. */
export function PriorityTable({ chosen, onChoose, onFocus }) {
  const table = sheet("queues");
  const agents = sheet("agents");
  const id = table.ids.includes(chosen) ? chosen : table.ids[0];
  const all = new Map(table.ids.map((queue) => [queue, new Map(members(table.value([queue, "agents"])))]));
  const policy = id === undefined ? "" : [table.value([id, "policy"])].flat()[0] ?? "longest-idle";
  const counts = ["priority", "weighted-random"].some((word) => [table.value([id ?? "", "policy"])].flat().includes(word));
  const locked = id === undefined ? "" : table.why(id);
  return html`<div class="sheet">
    <${Picker} table=${table} chosen=${id} onChoose=${onChoose} onAdd=${(name) => { table.set([name], { name, agents: [] }); onChoose(name); }} what="queue" />
    ${id !== undefined && html`<div class="entry" key=${id}>
      <header><h2><bdi>${table.value([id, "name"]) ?? id}</bdi></h2></header>
      <${Locked} why=${locked} />
      ${!counts && html`<p class="sentence">${t("tables.levels-unused", { policy })}</p>`}
      <p class="below">${t("tables.move-help")}</p>
      <${Levels} table=${table} path=${[id, "agents"]} locked=${locked} onFocus=${onFocus} />
      <h3>${t("tables.all-levels")}</h3>
      <div class="scroll" tabindex="0" role="region" aria-label=${t("tables.all-levels")}><table class="matrix"><thead><tr><th>${t("agent")}</th>
        ${table.ids.map((queue) => html`<th key=${queue} scope="col"><button type="button" class="plain" aria-pressed=${queue === id} onClick=${() => onChoose(queue)}><bdi>${table.value([queue, "name"]) ?? queue}</bdi></button></th>`)}</tr></thead>
        <tbody>${agents.ids.slice(0, 300).map((agent) => html`<tr key=${agent}><th scope="row"><bdi>${agents.value([agent, "name"]) ?? agent}</bdi></th>
          ${table.ids.map((queue) => html`<td key=${queue} class=${queue === id ? "here" : ""}>${all.get(queue).has(agent) ? count(all.get(queue).get(agent)) : html`<span class="below">–</span>`}</td>`)}</tr>`)}</tbody></table></div>
    </div>`}</div>`;
}
