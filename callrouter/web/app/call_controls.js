// What a supervisor can do with a call that is on: end it, move it, give it another priority, transfer it,
// hold it; each where the daemon's API has it for the call's state.

import { html, useEffect, useState } from "../vendor/preact.js";
import { act, Controls, Do, Refused } from "./acts.js";
import { ask } from "./api.js";
import { queues } from "./live.js";
import { Dialogue } from "./parts.js";
import { AgentMenu, agentName, agentPath, callPath, QueueMenu, queueName } from "./names.js";
import { OutsideNumber } from "./outside_number.js";
import { count, leftToRight, t } from "./words.js";

const FIRST = 1;
const LAST = 100;

export const subjectOf = (call) => `call ${call.id}`;
export const talks = (call) => call.state === "talking";
const waits = (call) => call.state === "waiting" || call.state === "ringing";

const NOT_IN_LINE = { place: null, up: null, down: null };

/** Where each waiting call stands, by id: its place, and the priorities with which it passes the one before
 * it or lets the one behind it pass; null: there is none. The order is priority, then first entry. The queue
 * has it: a call's own row stays as it is when others move. */
export function standings() {
  const found = new Map();
  for (const { waiting } of queues.value.values()) {
    waiting.forEach((item, n) => {
      const before = waiting[n - 1];
      const behind = waiting[n + 1];
      const up = before ? Math.min(before.priority, item.priority) - 1 : 0;
      const down = behind ? Math.max(behind.priority, item.priority) + 1 : LAST + 1;
      found.set(item.call, { place: item.position, up: up >= FIRST ? up : null, down: down <= LAST ? down : null });
    });
  }
  return found;
}
export const standingOf = (call, all = standings()) => all.get(call.id) ?? NOT_IN_LINE;

function Priority({ call, up, down }) {
  const button = (value, shape, key) => html`<${Do} subject=${subjectOf(call)} to=${callPath(call.id, "move")} body=${{ priority: value }} kind="plain small"
    label=${value === null ? t(key === "up" ? "floor.up-none" : "floor.down-none") : t(key === "up" ? "floor.up" : "floor.down", { priority: value })} disabled=${value === null}>${shape}</${Do}>`;
  return html`<span class="group priority" role="group" aria-label=${t("priority")}>${button(up, "▲", "up")}<bdi>${count(call.priority)}</bdi>${button(down, "▼", "down")}</span>`;
}

/** Where a waiting call goes, which agent it prefers, and its priority. Only what is changed is sent. */
function Move({ call, onClose }) {
  const [queue, setQueue] = useState(call.queue);
  const [agent, setAgent] = useState("");
  const [priority, setPriority] = useState(String(call.priority));
  const subject = subjectOf(call);
  const body = {};
  if (queue !== call.queue) body.queue = queue;
  if (agent) body.agent = agent;
  if (priority !== "" && Number(priority) !== call.priority) body.priority = Number(priority);
  const send = async (event) => {
    event.preventDefault();
    if (await act(subject, "move", () => ask("POST", callPath(call.id, "move"), body), t("moved"))) onClose();
  };
  return html`<${Dialogue} title=${t("floor.move-title")} onClose=${onClose}><form onSubmit=${send}>
    <${QueueMenu} label=${t("queue")} value=${queue} onChange=${(value) => { setQueue(value); setAgent(""); }} />
    <${AgentMenu} label=${t("floor.first-agent")} none=${t("floor.by-policy")} queue=${queue} value=${agent} onChange=${setAgent} />
    <label>${t("floor.priority-hint")}<span class="pair"><input type="number" min=${FIRST} max=${LAST} step="1" required value=${priority} onInput=${(event) => setPriority(event.currentTarget.value)} />
      <button type="button" onClick=${() => setPriority(String(FIRST))}>${t("floor.to-front")}</button>
      <button type="button" onClick=${() => setPriority(String(LAST))}>${t("floor.to-end")}</button></span></label>
    <p class="buttons"><button class="main" disabled=${Object.keys(body).length === 0}>${t("move")}</button></p>
    <${Refused} subject=${subject} /></form></${Dialogue}>`;
}

/** Where a caller who talks goes: to a queue, to an agent of it, at once or after asking first, or to a number outside. */
function Transfer({ call, onClose }) {
  const [queue, setQueue] = useState(call.queue);
  const [agent, setAgent] = useState("");
  const [begins, setBegins] = useState([]); // of the numbers outside that are allowed
  useEffect(() => { ask("GET", agentPath(call.agent, "targets")).then((found) => setBegins(found.outside), () => {}); }, []);
  const subject = subjectOf(call);
  const send = (what, body) => act(subject, what, () => ask("POST", agentPath(call.agent, `call/${what}`), { call: call.id, ...body }), t(what === "transfer" ? "floor.transferred" : "floor.asked"));
  const transfer = async (event) => {
    event.preventDefault();
    if (await send("transfer", { queue, ...(agent && { agent }) })) onClose();
  };
  const consult = async () => { if (await send("consult", agent ? { agent } : { queue })) onClose(); };
  return html`<${Dialogue} title=${t("floor.transfer-title", { agent: agentName(call.agent) })} onClose=${onClose}><form onSubmit=${transfer}>
    <${QueueMenu} label=${t("queue")} value=${queue} onChange=${(value) => { setQueue(value); setAgent(""); }} />
    <${AgentMenu} label=${t("floor.to-agent")} none=${t("floor.by-policy")} queue=${queue} but=${call.agent} value=${agent} onChange=${setAgent} />
    <p class="hint">${t("floor.transfer-hint")}</p>
    <p class="buttons"><button class="main">${t("floor.transfer-now")}</button>
      ${call.can_hold && html`<button type="button" onClick=${consult}>${t("consult")}</button>`}</p>
    <${Refused} subject=${subject} /></form>
    <${OutsideNumber} allowed=${begins} path=${agentPath(call.agent, "call/transfer")} call=${call.id} onDone=${onClose} /></${Dialogue}>`;
}

/** The buttons for a call, by its state, with `up` and `down` of its standing. The refusal of the last act
 * stands behind them, unless `quiet`. */
export function CallControls({ call, up, down, quiet = false }) {
  const [open, setOpen] = useState("");
  const subject = subjectOf(call);
  const own = (act, key, kind = "") => html`<${Do} subject=${subject} to=${agentPath(call.agent, `call/${act}`)} body=${{ call: call.id }} kind=${kind}>${t(key)}</${Do}>`;
  const close = () => setOpen("");
  return html`<${Controls}>
    ${waits(call) && html`<${Priority} call=${call} up=${up} down=${down} /><button type="button" onClick=${() => setOpen("move")}>${t("floor.move")}</button>`}
    ${talks(call) && call.agent && html`
      ${call.consulting ? html`${own("complete", "complete", "main")}${own("cancel", "cancel")}`
        : html`${call.held ? own("unhold", "unhold") : call.can_hold && own("hold", "hold")}<button type="button" onClick=${() => setOpen("transfer")}>${t("floor.transfer")}</button>`}`}
    ${(waits(call) || talks(call)) && html`<${Do} subject=${subject} method="DELETE" to=${callPath(call.id)} kind="danger"
      sure=${t(talks(call) ? "floor.end-talk?" : "floor.end-wait?", { caller: call.caller_number ? leftToRight(call.caller_number) : t("withheld"), agent: agentName(call.agent ?? ""), queue: queueName(call.queue) })} verb=${t("floor.end")}>${t("end")}</${Do}>`}
    ${!quiet && !open && html`<${Refused} subject=${subject} />`}
    ${open === "move" && html`<${Move} call=${call} onClose=${close} />`}
    ${open === "transfer" && html`<${Transfer} call=${call} onClose=${close} />`}
  </${Controls}>`;
}
