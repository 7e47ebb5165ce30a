// Names of agents and queues, and the choices that several views offer.

import { html, signal } from "../vendor/preact.js";
import { ask } from "./api.js";
import { agents, queues } from "./live.js";
import { t } from "./words.js";

export const agentName = (id) => agents.value.get(id)?.name ?? id;
export const queueName = (id) => queues.value.get(id)?.name ?? id;
export const byName = (one, two) => one.name.localeCompare(two.name);
export const agentPath = (id, rest = "") => `/api/agents/${encodeURIComponent(id)}${rest && `/${rest}`}`;
export const callPath = (id, rest = "") => `/api/calls/${encodeURIComponent(id)}${rest && `/${rest}`}`;

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
    ${rows.map((item) => html`<option key=${item.id} value=${item.id}>${item.name} — ${t(`state.${item.state}`)}</option>`)}
    ${value && !rows.some((item) => item.id === value) && html`<option value=${value}>${value}</option>`}</select></label>`;
}
