// The supervisor's page: the whole floor with controls, and why something is as it is.

import { html, useEffect, useState } from "../vendor/preact.js";
import { ask } from "./api.js";
import { AgentList, AgentRow, nameOf } from "./board.js";
import { calls, queues, running } from "./live.js";
import { Act, attempt, Dialogue, Num, Time } from "./parts.js";
import { clockTime, count, t } from "./words.js";

const ROW = 48;

function Answer({ path, title, onClose, show }) {
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState("");
  useEffect(() => { ask("GET", path).then(setFound, (error) => setProblem(error.message)); }, [path]);
  return html`<${Dialogue} title=${title} onClose=${onClose}>${problem ? html`<p class="problem">${problem}</p>` : found ? show(found) : html`<p>…</p>`}</${Dialogue}>`;
}

const Why = ({ call, onClose }) => html`<${Answer} path=${`/api/calls/${encodeURIComponent(call)}/why`} title=${t("why")} onClose=${onClose} show=${(why) => html`
  <p><${Num} of=${why.caller_number} name=${why.caller_name} /></p>
  <ol class="story">${why.steps.map((step, n) => html`<li key=${n}><small><bdi dir="ltr">${clockTime(step.at)}</bdi></small> <bdi>${step.text}</bdi>
    ${step.outcome ? html`<br /><bdi class="about">${step.outcome.text}</bdi>` : ""}</li>`)}</ol>
  ${why.now && html`<p><strong><bdi>${why.now.text}</bdi></strong></p>`}`} />`;

const WhyNot = ({ agent, onClose }) => html`<${Answer} path=${`/api/agents/${encodeURIComponent(agent)}/why-not`} title=${t("why-not", { name: nameOf(agent) })} onClose=${onClose} show=${(why) => html`
  <p><bdi>${why.text}</bdi></p>
  <ul>${why.queues.map((queue) => html`<li key=${queue.id}><bdi>${queue.id}</bdi>: <bdi>${queue.reasons.join("; ") || "✓"}</bdi></li>`)}</ul>`} />`;

function Move({ call, onClose }) {
  const [queue, setQueue] = useState(call.queue);
  const [priority, setPriority] = useState(call.priority);
  const send = async (event) => {
    event.preventDefault();
    const body = { queue, priority: Number(priority) };
    if (await attempt(() => ask("POST", `/api/calls/${encodeURIComponent(call.id)}/move`, body), t("moved"))) onClose();
  };
  return html`<${Dialogue} title=${t("move")} onClose=${onClose}><form onSubmit=${send}>
    <label>${t("queue")}<select value=${queue} onChange=${(event) => setQueue(event.currentTarget.value)}>
      ${[...queues.value.values()].map((item) => html`<option key=${item.id} value=${item.id}>${item.name}</option>`)}</select></label>
    <label>${t("priority")}<input type="number" min="1" max="100" value=${priority} onInput=${(event) => setPriority(event.currentTarget.value)} /></label>
    <button class="main">${t("move")}</button></form></${Dialogue}>`;
}

function CallRow({ call, onWhy, onMove }) {
  const talking = call.talk_s !== null;
  return html`<tr><td><${Num} of=${call.caller_number} name=${call.caller_name} /></td>
    <td><bdi>${queues.value.get(call.queue)?.name ?? call.queue}</bdi></td>
    <td>${t(`call.${call.state}`)}</td>
    <td><bdi>${call.agent ? nameOf(call.agent) : call.offers.map((offer) => nameOf(offer.agent)).join(", ")}</bdi></td>
    <td><${Time} s=${running(talking ? call.talk_s : call.wait_s, call.at)} /></td>
    <td>${call.priority === null ? "" : count(call.priority)}</td>
    <td class="group"><button onClick=${onWhy}>${t("why")}</button>
      ${!talking && html`<button onClick=${onMove}>${t("move")}</button>`}
      <${Act} to=${() => ask("DELETE", `/api/calls/${encodeURIComponent(call.id)}`)} ask=${t("end-call?")} kind="danger">${t("end")}</${Act}></td></tr>`;
}

function Agent({ agent, onWhy }) {
  const path = (rest) => `/api/agents/${encodeURIComponent(agent.id)}/${rest}`;
  return html`<${AgentRow} agent=${agent}><span class="group">
    ${agent.signed_in && agent.pause_reason === null && html`<${Act} to=${path("pause")} body=${{}}>${t("pause")}</${Act}>`}
    ${agent.pause_reason !== null && html`<${Act} to=${path("resume")}>${t("resume")}</${Act}>`}
    ${agent.signed_in ? html`<${Act} to=${path("sign-out")}>${t("sign-out")}</${Act}>` : html`<${Act} to=${path("sign-in")}>${t("sign-in")}</${Act}>`}
    <button onClick=${onWhy}>${t("why?")}</button></span></${AgentRow}>`;
}

export function FloorView() {
  const [why, setWhy] = useState(null);
  const [whyNot, setWhyNot] = useState(null);
  const [moving, setMoving] = useState(null);
  const rows = [...calls.value.values()].sort((one, two) => one.entered_at.localeCompare(two.entered_at));
  return html`<main class="floor">
    <section class="card calls" aria-label=${t("calls")}><h2>${t("calls")} <small>${count(rows.length)}</small></h2>
      ${rows.length === 0 ? html`<p class="none">${t("no-calls")}</p>` : html`<div class="scroll" tabindex="0" role="region" aria-label=${t("calls")}><table>
        <thead><tr><th>${t("caller")}</th><th>${t("queue")}</th><th>${t("state")}</th><th>${t("agent")}</th><th>${t("time")}</th><th>${t("priority")}</th><th><span class="hidden">${t("actions")}</span></th></tr></thead>
        <tbody>${rows.slice(0, 200).map((call) => html`<${CallRow} key=${call.id} call=${call} onWhy=${() => setWhy(call.id)} onMove=${() => setMoving(call)} />`)}</tbody></table></div>
        ${rows.length > 200 && html`<p class="more">${t("more", { count: rows.length - 200 })}</p>`}`}
    </section>
    <${AgentList} extra=${ROW}>${(agent) => html`<${Agent} agent=${agent} onWhy=${() => setWhyNot(agent.id)} />`}</${AgentList}>
    ${why && html`<${Why} call=${why} onClose=${() => setWhy(null)} />`}
    ${whyNot && html`<${WhyNot} agent=${whyNot} onClose=${() => setWhyNot(null)} />`}
    ${moving && html`<${Move} call=${moving} onClose=${() => setMoving(null)} />`}
  </main>`;
}
