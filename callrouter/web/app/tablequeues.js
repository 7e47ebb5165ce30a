// A queue as a form.

import { html, useState } from "../vendor/preact.js";
import { Choice, Doing, Line, Menu } from "./fields.js";
import { Dialogue } from "./parts.js";
import { messageOf } from "./phrases.js";
import { known, members, sheet } from "./sheets.js";
import { Locked, NARROW, Part, Picker, Rename } from "./tableparts.js";
import { t } from "./words.js";

/** The methods that every installation has; their words are `tables-policy.` and `tables-policy-about.`. */
const METHODS = ["longest-idle", "priority", "round-robin", "linear", "random", "weighted-random", "fewest-calls", "least-talk-time", "average-utilization", "max-utilization", "skills", "ring-all"];
const ORDER = ["name", "policy", "agents", "at_once", "ring_for", "retry_after", "wrap_up", "weight", "max_wait", "on_max_wait", "max_waiting", "on_full", "on_nobody", "nobody_after", "hours", "timezone", "holidays", "on_closed", "shifts", "widen", "skills"];

/** The keys after which a new one stands well, the best last. */
const after = (key) => (ORDER.includes(key) ? ORDER.slice(0, ORDER.indexOf(key)) : ORDER);

const methodName = (word) => (METHODS.includes(word) ? t(`tables-policy.${word}`) : word);
const methodAbout = (word) => (METHODS.includes(word) ? t(`tables-policy-about.${word}`) : known.value?.policies?.find((item) => item.name === word)?.sentence ?? "");

/** The distribution method: one menu, with a sentence for each. */
function Method({ table, id, locked, onFocus }) {
  const [all, setAll] = useState(false);
  const written = table.value([id, "policy"]);
  const list = Array.isArray(written) ? written : written === undefined ? [] : [written];
  const now = list[0] ?? "longest-idle";
  const words = [...METHODS, ...(known.value?.policies ?? []).map((item) => item.name).filter((word) => !METHODS.includes(word))];
  const put = (first, second) => {
    const rest = [first, second, ...list.slice(2)].filter(Boolean);
    table.set([id, "policy"], rest.length > 1 ? rest : rest[0], after("policy"));
    setAll(false);
  };
  const found = table.problems([id, "policy"]);
  return html`<div class="field wide-field method">
    <div class="pair"><div class="field"><label for="method-first">${t("tables-field.policy")}</label>
      <select id="method-first" value=${now} disabled=${Boolean(locked)} onFocus=${() => onFocus([id, "policy"])} onChange=${(event) => put(event.currentTarget.value, list[1])} aria-describedby="method-about">
        ${(words.includes(now) ? words : [now, ...words]).map((word) => html`<option key=${word} value=${word} selected=${word === now}>${methodName(word)}</option>`)}</select></div>
      <div class="field"><label for="method-then">${t("tables.then-by")}</label>
      <select id="method-then" value=${list[1] ?? ""} disabled=${Boolean(locked)} onFocus=${() => onFocus([id, "policy"])} onChange=${(event) => put(now, event.currentTarget.value)}>
        <option value="" selected=${!list[1]}>–</option>
        ${words.filter((word) => word !== now).map((word) => html`<option key=${word} value=${word} selected=${word === list[1]}>${methodName(word)}</option>`)}</select></div>
      <button type="button" onClick=${() => setAll(true)}>${t("tables.all-methods")}</button></div>
    <p id="method-about" class="sentence" aria-live="polite">${methodAbout(now)}${list[1] && html` ${t("tables.ties", { method: methodName(list[1]) })}`}</p>
    ${found.map((item) => html`<p key=${item.message} class="problem"><bdi>${messageOf(item)}</bdi></p>`)}
    ${all && html`<${Dialogue} title=${t("tables-field.policy")} onClose=${() => setAll(false)}><ul class="methods">
      ${words.map((word) => html`<li key=${word}><button type="button" disabled=${Boolean(locked)} aria-pressed=${word === now} onClick=${() => put(word, list[1] === word ? "" : list[1])}>
        <strong>${methodName(word)}</strong> <span>${methodAbout(word)}</span></button></li>`)}</ul></${Dialogue}>`}
  </div>`;
}

function Targets({ ids }) {
  return html`<datalist id="targets">${["hangup", ...ids.map((id) => `queue:${id}`), "dialplan:voicemail,s,1"].map((word) => html`<option key=${word} value=${word} />`)}</datalist>
    <datalist id="targets-or-wait">${["wait", "hangup", ...ids.map((id) => `queue:${id}`)].map((word) => html`<option key=${word} value=${word} />`)}</datalist>`;
}

/** The groups of the form, with each value's kind. A key with a dot is within another. */
const GROUPS = {
  ringing: [["at_once", "number"], ["ring_for", "duration"], ["retry_after", "duration"], ["wrap_up", "duration"], ["weight", "number"], ["auto_pause", "number"]],
  waiting: [["max_wait", "duration"], ["on_max_wait", "target"], ["max_waiting", "number"], ["on_full", "target"], ["on_nobody", "target-or-wait"], ["nobody_after", "duration"], ["music", "text"]],
  open: [["hours", "text", true], ["holidays", "list", true], ["timezone", "text"], ["on_closed", "target"]],
  callers: [["last_agent", "duration"], ["prefer_for", "duration"], ["skills", "levels"], ["service_level.within", "duration"], ["service_level.target", "number"], ["service_level.short_abandon", "duration"], ["announce.position", "boolean"], ["announce.estimate", "boolean"], ["announce.every", "duration"]],
  phones: [["show", "text"], ["alert_info", "text"], ["ask_alone_for", "duration"]],
};

function Control({ table, id, name, kind, wide, locked, onFocus }) {
  const path = [id, ...name.split(".")];
  const common = { table, path, label: t(`tables-field.${name}`), help: t(`tables-help.${name}`), after: after(path[1]), locked, onFocus, wide };
  if (kind === "boolean") return html`<${Choice} ...${common} />`;
  if (kind === "target") return html`<${Line} ...${common} list="targets" />`;
  if (kind === "target-or-wait") return html`<${Line} ...${common} list="targets-or-wait" />`;
  return html`<${Line} ...${common} kind=${kind} />`;
}

/** Queues as forms. */
export function QueueTable({ chosen, onChoose, onFocus }) {
  const table = sheet("queues");
  const id = table.ids.includes(chosen) ? chosen : table.ids[0];
  const locked = id === undefined ? "" : table.why(id);
  const add = (name) => { table.set([name], { name: name, agents: [] }); onChoose(name); };
  const size = members(id && table.value([id, "agents"])).length;
  return html`<div class="sheet">
    <${Picker} table=${table} chosen=${id} onChoose=${onChoose} onAdd=${add} what="queue" />
    ${id !== undefined && html`<form class="entry" key=${id} onSubmit=${(event) => event.preventDefault()} aria-label=${id}>
      <header><h2><bdi>${table.value([id, "name"]) ?? id}</bdi> <small><bdi>${id}</bdi></small></h2>
        <span class="group"><${Rename} table=${table} id=${id} what="queue" locked=${locked} onChoose=${onChoose} />
        <${Doing} kind="danger" why=${locked} onClick=${() => { table.remove([id]); onChoose(""); }}>${t("tables.remove-queue")}</${Doing}></span></header>
      <${Locked} why=${locked} />
      <div class="fields"><${Line} table=${table} path=${[id, "name"]} label=${t("tables-field.name")} help=${t("tables-help.name")} fallback=${id} locked=${locked} onFocus=${onFocus} />
        <p class="field count"><span>${t("tables.who-serves")}</span> <a href="#tables/priorities">${t("tables.agents-count", { count: size })}</a></p>
        <${Method} table=${table} id=${id} locked=${locked} onFocus=${onFocus} /></div>
      ${Object.entries(GROUPS).map(([group, fields]) => html`<${Part} key=${group} title=${t(`tables-group.${group}`)} open=${innerWidth >= NARROW || group === "ringing"} found=${fields.flatMap(([name]) => table.problems([id, ...name.split(".")]))}><div class="fields">
        ${fields.map(([name, kind, wide]) => html`<${Control} key=${name} table=${table} id=${id} name=${name} kind=${kind} wide=${wide} locked=${locked} onFocus=${onFocus} />`)}</div></${Part}>`)}
      <${Targets} ids=${table.ids} />
    </form>`}
  </div>`;
}
