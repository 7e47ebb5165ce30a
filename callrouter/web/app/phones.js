// An agent's phones for a supervisor: verify, vouch, approve, reject, switch on and off, remove; and who did
// what about them.

import { html, useEffect, useState } from "../vendor/preact.js";
import { act, busy, Controls, Do, Refused, wordsOf } from "./acts.js";
import { LONGEST } from "./agent_controls.js";
import { useAnswers } from "./answers.js";
import { ask } from "./api.js";
import { agents } from "./live.js";
import { Dialogue, Num } from "./parts.js";
import { agentName, agentPath } from "./names.js";
import { inWords } from "./phrases.js";
import { duration, t, when } from "./words.js";

export const phoneSubject = (agent, device) => `phone ${agent} ${device}`;
const phonePath = (agent, device, rest = "") => agentPath(agent, `devices/${encodeURIComponent(device)}${rest && `/${rest}`}`);

/** Why a mobile is not accepted. */
function Reject({ agent, phone, onClose, onDone }) {
  const [reason, setReason] = useState("");
  const subject = phoneSubject(agent, phone.id);
  const send = async (event) => {
    event.preventDefault();
    if (await act(subject, "reject", () => ask("POST", phonePath(agent, phone.id, "reject"), { reason }), t("mobiles.rejected"))) { onClose(); onDone(); }
  };
  return html`<${Dialogue} title=${t("mobiles.reject-title", { name: agentName(agent), number: phone.address })} onClose=${onClose}><form onSubmit=${send}>
    <label>${t("mobiles.reject-reason")}<input maxlength=${LONGEST} value=${reason} onInput=${(event) => setReason(event.currentTarget.value)} /></label>
    <p class="buttons"><button class="danger" aria-disabled=${busy(subject)}>${t("mobiles.reject")}</button></p>
    <${Refused} subject=${subject} /></form></${Dialogue}>`;
}

/** What can be done about one phone, by where it comes from and how far it is. */
export function PhoneControls({ agent, phone, onDone }) {
  const [rejecting, setRejecting] = useState(false);
  const subject = phoneSubject(agent, phone.id);
  const own = phone.source === "registered";
  const unused = phone.status !== "in-use";
  const named = { name: agentName(agent), number: phone.address };
  return html`<${Controls}>
    ${own && phone.status === "waiting" && html`<${Do} subject=${subject} kind="main" to=${phonePath(agent, phone.id, "verify")} body=${{ vouch: true }} done=${t("mobiles.approved")} onDone=${onDone}>${t("mobiles.approve")}</${Do}>`}
    ${own && phone.status === "unverified" && html`<${Do} subject=${subject} to=${phonePath(agent, phone.id, "verify")} body=${{}} onDone=${onDone}>${t("mobiles.call-again")}</${Do}>
      <${Do} subject=${subject} to=${phonePath(agent, phone.id, "verify")} body=${{ vouch: true }} sure=${t("mobiles.vouch?", named)} verb=${t("mobiles.vouch")} onDone=${onDone}>${t("mobiles.vouch")}</${Do}>`}
    ${own && unused && html`<button type="button" onClick=${() => setRejecting(true)}>${t("mobiles.reject")}</button>`}
    ${!(own && unused) && html`<${Do} subject=${subject} method="PATCH" to=${phonePath(agent, phone.id)} body=${{ enabled: !phone.enabled }} onDone=${onDone}>${t(phone.enabled ? "switch-off" : "switch-on")}</${Do}>`}
    ${own && html`<${Do} subject=${subject} method="DELETE" to=${phonePath(agent, phone.id)} kind="danger" sure=${t("mobiles.remove?", named)} verb=${t("remove")} onDone=${onDone}>${t("remove")}</${Do}>`}
    ${!rejecting && html`<${Refused} subject=${subject} />`}
    ${rejecting && html`<${Reject} agent=${agent} phone=${phone} onClose=${() => setRejecting(false)} onDone=${onDone} />`}
  </${Controls}>`;
}

function Phone({ agent, phone, onDone }) {
  const more = [
    phone.status !== "in-use" && t(`mobiles.status.${phone.status}`),
    phone.ring_after_s > 0 && t("mobiles.after", { time: duration(phone.ring_after_s) }),
    phone.hours,
    phone.added_by && t("mobiles.added", { name: phone.added_by, time: when(phone.added_at) }),
    phone.approved_by && t("mobiles.approved-by", { name: phone.approved_by }),
  ].filter(Boolean);
  return html`<li><span><strong><bdi>${phone.id}</bdi></strong> <${Num} of=${phone.address} /><br /><small>${more.map((text, n) => html`${n ? " · " : ""}<bdi>${text}</bdi>`)}</small></span>
    <span class="about"><bdi>${inWords(phone.trouble, phone.trouble_phrase) ?? t(`device.${phone.state}`)}</bdi></span>
    <${PhoneControls} agent=${agent} phone=${phone} onDone=${onDone} /></li>`;
}

function Audit({ agent, turn }) {
  const [steps, setSteps] = useState(null);
  const [open, setOpen] = useState(false);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    if (!open) return;
    ask("GET", agentPath(agent, "audit")).then((found) => { setSteps(found.steps); setProblem(""); }, (error) => setProblem(wordsOf(error)));
  }, [open, agent, turn]);
  return html`<details onToggle=${(event) => setOpen(event.currentTarget.open)}><summary>${t("mobiles.audit")}</summary>
    ${problem && html`<p class="problem" role="alert"><bdi>${problem}</bdi></p>`}
    ${steps?.length === 0 && html`<p class="none">${t("mobiles.no-audit")}</p>`}
    <ul class="plain">${(steps ?? []).map((step) => html`<li key=${step.at + step.what + step.device}><span><small>${when(step.at)}</small> <bdi>${step.who}</bdi> <small>${step.via}</small></span>
      <span><strong><bdi>${step.what}</bdi></strong> <bdi>${step.device}</bdi> <bdi dir="ltr">${step.number}</bdi> <bdi>${step.detail}</bdi></span></li>`)}</ul></details>`;
}

/** All phones of an agent. They are read again when the agent's devices change, and after each act. */
export function AgentPhones({ id }) {
  const [phones, setPhones] = useState(null);
  const [problem, setProblem] = useState("");
  const [turn, setTurn] = useState(0);
  const stamp = JSON.stringify(agents.value.get(id)?.devices?.map((item) => [item.id, item.enabled, item.state, item.trouble]));
  const answers = useAnswers(id);
  useEffect(() => {
    const counts = answers();
    ask("GET", agentPath(id, "devices")).then(
      (found) => { if (counts()) { setPhones(found); setProblem(""); } },
      (error) => { if (counts()) setProblem(wordsOf(error)); },
    );
  }, [id, stamp, turn]);
  const again = () => setTurn((n) => n + 1);
  return html`<section class="card phones" aria-label=${t("phones")}><h2>${t("phones")}</h2>
    ${problem && html`<p class="problem" role="alert"><bdi>${problem}</bdi></p>`}
    <ul class="plain">${(phones ?? []).map((phone) => html`<${Phone} key=${phone.id} agent=${id} phone=${phone} onDone=${again} />`)}</ul>
    <${Audit} agent=${id} turn=${turn} /></section>`;
}
