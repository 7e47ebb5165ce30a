// Names of agents and queues, and the choices that several views offer.

import { computed, html, signal } from "../vendor/preact.js";
import { ask, session } from "./api.js";
import { agents, queues } from "./live.js";
import { stateName } from "./parts.js";
import { address } from "./routes.js";

/** The names of rows by id: the same map until a name changes, so that what shows names is not drawn again
 * with every change of a row. */
function names(rows) {
  let last = new Map();
  return computed(() => {
    const made = new Map([...rows.value].map(([id, row]) => [id, row.name]));
    if (made.size !== last.size || [...made].some(([id, name]) => last.get(id) !== name)) last = made;
    return last;
  });
}
const agentNames = names(agents);
const queueNames = names(queues);

export const agentName = (id) => agentNames.value.get(id) ?? id;
export const queueName = (id) => queueNames.value.get(id) ?? id;
const order = new Intl.Collator();
export const byName = (one, two) => order.compare(one.name, two.name);
export const agentPath = (id, rest = "") => `/api/agents/${encodeURIComponent(id)}${rest && `/${rest}`}`;
export const callPath = (id, rest = "") => `/api/calls/${encodeURIComponent(id)}${rest && `/${rest}`}`;

/** Whether the person has the pages of single calls and agents. */
const seesPages = () => ["supervisor", "admin"].includes(session.value?.role) && !session.value.agent;
const link = (name) => ({ id, children }) => (seesPages() ? html`<a class="quiet" href=${address(name, id)}>${children}</a>` : children);
/** What stands for a call or an agent, as a link to its page for who has it. */
export const CallLink = link("call");
export const AgentLink = link("agent");

/** The configured reasons for a pause; empty: any text is one. They are asked for once. */
export const reasons = signal(null);
export function loadReasons() {
  if (reasons.value !== null) return;
  reasons.value = [];
  ask("GET", "/api/pauses").then((found) => { reasons.value = found; }, () => { reasons.value = null; });
}

/** A menu of queues. `none`: the text for no queue; left out: one must be chosen. */
export function QueueMenu({ value, onChange, label, none, only }) {
  const rows = [...queues.value.values()].filter((item) => !only || only.includes(item.id)).sort(byName);
  return html`<label>${label}<select value=${value} onChange=${(event) => onChange(event.currentTarget.value)}>
    ${none !== undefined && html`<option value="">${none}</option>`}
    ${rows.map((item) => html`<option key=${item.id} value=${item.id}>${item.name}</option>`)}
    ${value && !rows.some((item) => item.id === value) && html`<option value=${value}>${value}</option>`}</select></label>`;
}

/** A menu of the agents of a queue, or of all of them. */
export function AgentMenu({ value, onChange, label, none, queue, but }) {
  const rows = [...agents.value.values()].filter((item) => item.id !== but && (!queue || item.queues.some((one) => one.id === queue))).sort(byName);
  return html`<label>${label}<select value=${value} onChange=${(event) => onChange(event.currentTarget.value)}>
    <option value="">${none}</option>
    ${rows.map((item) => html`<option key=${item.id} value=${item.id}>${item.name} — ${stateName(item.state, item)}</option>`)}
    ${value && !rows.some((item) => item.id === value) && html`<option value=${value}>${value}</option>`}</select></label>`;
}
