// What a supervisor can do for an agent: sign in and out, pause, resume, end wrap-up, free a phone, write.

import { html, useEffect, useState } from "../vendor/preact.js";
import { act, Controls, Do, Refused } from "./acts.js";
import { ask } from "./api.js";
import { Dialogue } from "./parts.js";
import { agentPath, loadReasons, reasons } from "./names.js";
import { duration, t } from "./words.js";

/** Characters of a line that the daemon takes. */
export const LONGEST = 200;

export const subjectOf = (agent) => `agent ${agent.id}`;

/** What the daemon can do for an agent as they are now. A pending pause or sign-out can be withdrawn. */
export function possible(agent) {
  const on = agent.signed_in;
  return {
    "sign-in": !on || agent.pending === "sign-out",
    ready: agent.state === "wrap-up",
    resume: on && (agent.pause_reason !== null || agent.pending === "pause"),
    pause: on && agent.pause_reason === null && agent.pending !== "pause",
    "sign-out": on && agent.pending !== "sign-out",
    free: agent.calls.length === 0 && agent.devices.some((device) => device.state === "in-use"),
  };
}

/** A choice of reasons, or a line of text where none are configured. `send` gets the reason. */
export function PauseForm({ subject, send, disabled = false }) {
  const [text, setText] = useState("");
  useEffect(loadReasons, []);
  const found = reasons.value ?? [];
  if (!found.length) {
    return html`<span class="pair"><input aria-label=${t("reason")} placeholder=${t("reason")} maxlength=${LONGEST} value=${text} onInput=${(event) => setText(event.currentTarget.value)} />
      <${Do} subject=${subject} to="pause" body=${{ reason: text }} send=${() => send(text)} disabled=${disabled}>${t("pause")}</${Do}></span>`;
  }
  return html`<span class="group" role="group" aria-label=${t("floor.pause-because")}>${found.map((item) => html`<${Do} key=${item.reason} subject=${subject} to="pause" body=${{ reason: item.reason }} send=${() => send(item.reason)} disabled=${disabled}>
    <bdi>${item.reason}</bdi>${item.longest_s ? html` <small><bdi dir="ltr">${duration(item.longest_s)}</bdi></small>` : ""}</${Do}>`)}</span>`;
}

function PauseDialogue({ agent, onClose }) {
  const subject = subjectOf(agent);
  const send = async (reason) => { const found = await ask("POST", agentPath(agent.id, "pause"), { reason }); onClose(); return found; };
  return html`<${Dialogue} title=${t("floor.pause-title", { name: agent.name })} onClose=${onClose}>
    <p><${PauseForm} subject=${subject} send=${send} /></p><${Refused} subject=${subject} /></${Dialogue}>`;
}

/** A line to an agent, who sees it on their page. */
export function Message({ agent }) {
  const [text, setText] = useState("");
  const subject = subjectOf(agent);
  const send = async (event) => {
    event.preventDefault();
    if (await act(subject, "message", () => ask("POST", agentPath(agent.id, "message"), { text }), t("floor.sent"))) setText("");
  };
  return html`<form class="pair" onSubmit=${send}><input aria-label=${t("floor.message")} placeholder=${t("floor.message")} maxlength=${LONGEST} required value=${text} onInput=${(event) => setText(event.currentTarget.value)} />
    <button>${t("floor.send")}</button></form>`;
}

/** The buttons for an agent that stand in a row; `all`: those that are rarely needed too. */
export function AgentControls({ agent, all = false }) {
  const [pausing, setPausing] = useState(false);
  const subject = subjectOf(agent);
  const can = possible(agent);
  const on = ["on-call", "ringing", "reserved"].includes(agent.state);
  const one = (what, more = {}) => can[what] && html`<${Do} subject=${subject} to=${agentPath(agent.id, what)} ...${more}>${t(what)}</${Do}>`;
  return html`<${Controls}>
    ${one("ready")}${one("resume")}
    ${can.pause && html`<button type="button" onClick=${() => setPausing(true)}>${t("floor.pause")}</button>`}
    ${one("sign-in")}
    ${one("sign-out", { kind: "danger", sure: t(on ? "floor.sign-out-later?" : "floor.sign-out?", { name: agent.name }), verb: t("sign-out") })}
    ${all && can.free && html`<${Do} subject=${subject} to=${agentPath(agent.id, "free")} sure=${t("floor.free?", { name: agent.name })} verb=${t("floor.free")}>${t("floor.free")}</${Do}>`}
    ${pausing && html`<${PauseDialogue} agent=${agent} onClose=${() => setPausing(false)} />`}
  </${Controls}>`;
}
