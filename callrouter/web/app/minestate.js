// What an agent is doing, and one button for each thing that can be done about it.

import { html, useEffect, useState } from "../vendor/preact.js";
import { ask, session } from "./api.js";
import { ago, left, now, queues } from "./live.js";
import { Act, SHAPES, stateName, Time } from "./parts.js";
import { phrased } from "./phrases.js";
import { clockTime, duration, t } from "./words.js";

export const ownPath = (rest) => `/api/agents/${encodeURIComponent(session.value.agent)}/${rest}`;

const AT_WORK = ["on-call", "ringing", "reserved"];

/** The reasons that a pause may have, each with the time that it may last. */
function Reasons({ done, onDone }) {
  const [reasons, setReasons] = useState(null);
  const [text, setText] = useState("");
  useEffect(() => { ask("GET", "/api/pauses").then(setReasons, () => setReasons([])); }, []);
  const pause = (reason) => async () => { await ask("POST", ownPath("pause"), { reason }); onDone?.(); };
  if (reasons === null) return html`<span class="group">…</span>`;
  if (!reasons.length) {
    return html`<span class="pair"><input aria-label=${t("reason")} placeholder=${t("reason")} maxlength="100" value=${text} onInput=${(event) => setText(event.currentTarget.value)} />
      <${Act} to=${pause(text)} done=${done}>${t("pause")}</${Act}></span>`;
  }
  return html`<span class="group reasons" role="group" aria-label=${t("pause")}>${reasons.map((item) => html`<${Act} key=${item.reason} to=${pause(item.reason)} done=${done}>
    ${t("pause-for", { reason: item.reason })}${item.longest_s ? html` <small>${t("mine.up-to", { time: duration(item.longest_s) })}</small>` : ""}</${Act}>`)}</span>`;
}

/** The end of a pause or of wrap-up: counts down to it, and up from it once it is over. */
function End({ agent }) {
  const ends = Date.parse(agent.until);
  const rest = (ends - now.value) / 1000;
  const whole = Math.max(1, (ends - Date.parse(agent.since)) / 1000);
  if (rest < 0) return html`<p class="end over"><span aria-hidden="true">▲</span> ${t("mine.too-long")} <${Time} s=${-rest} /></p>`;
  return html`<p class="end"><span>${t("mine.ends-in")} <strong><${Time} s=${rest} /></strong></span>
    <progress max=${whole} value=${rest} aria-label=${t("mine.ends-in")}></progress>
    <small>${t("until", { time: clockTime(agent.until) })}${agent.then ? ` · ${t(`mine.then.${agent.then}`)}` : ""}</small></p>`;
}

function WrapUp({ agent }) {
  const rest = left(agent.wrap_up_s, agent.at);
  const whole = Math.max(1, rest + (ago(agent.since) ?? 0));
  return html`<p class="end"><span>${t("ready-in")} <strong><${Time} s=${rest} /></strong></span>
    <progress max=${whole} value=${rest} aria-label=${t("ready-in")}></progress></p>`;
}

/** What was asked for during a call, and how to take it back. */
function Pending({ agent }) {
  const back = { pause: "resume", "sign-out": "sign-in" }[agent.pending];
  return html`<p class="pending"><em>${t(`pending.${agent.pending}`)}${agent.pending_by && agent.pending_by !== agent.id ? html` (<bdi>${agent.pending_by}</bdi>)` : ""}</em>
    <${Act} to=${ownPath(back)}>${t("mine.take-back")}</${Act}></p>`;
}

/** Who brought this state about, if that was another person. */
function By({ agent }) {
  if (!agent.by || agent.by === agent.id || agent.by === session.value.user) return null;
  return html`<p class="by">${t(agent.signed_in ? (agent.pause_reason === null ? "mine.by.signed-in" : "mine.by.paused") : "mine.by.signed-out", { name: agent.by })}</p>`;
}

export function Standing({ agent }) {
  const [more, setMore] = useState(false);
  const paused = agent.pause_reason !== null;
  const idle = agent.signed_in && !paused && !AT_WORK.includes(agent.state) && agent.state !== "wrap-up";
  const names = agent.queues.map((item) => queues.value.get(item.id)?.name ?? item.id);
  return html`<section class=${`card now is-${agent.state}`} aria-label=${t("now")}>
    <p class="standing"><span class=${`state ${agent.state}`}><span aria-hidden="true">${SHAPES[agent.state]}</span> <span role="status">${stateName(agent.state, agent)}</span></span>
      ${paused && agent.pause_reason ? html`<bdi class="reason">${agent.pause_reason}</bdi>` : ""} <${Time} s=${ago(agent.since)} /></p>
    <${By} agent=${agent} />
    ${agent.state === "wrap-up" && html`<${WrapUp} agent=${agent} />`}
    ${agent.state === "paused" && agent.until && html`<${End} agent=${agent} />`}
    ${agent.pending && html`<${Pending} agent=${agent} />`}
    ${idle && agent.why_not.length > 0 && html`<ul class="why">${phrased(agent.why_not, agent.why_not_phrases).map((line) => html`<li key=${line}><bdi>${line}</bdi></li>`)}</ul>`}
    <p class="buttons">
      ${!agent.signed_in && html`<${Act} kind="main" to=${ownPath("sign-in")}>${t("sign-in")}</${Act}>`}
      ${agent.state === "wrap-up" && html`<${Act} kind="main" to=${ownPath("ready")}>${t("ready")}</${Act}>`}
      ${agent.signed_in && paused && html`<${Act} kind="main" to=${ownPath("resume")}>${t("resume")}</${Act}>
        <button aria-expanded=${more} onClick=${() => setMore(!more)}>${t("mine.other-reason")}</button>`}
      ${agent.signed_in && !paused && html`<${Reasons} />`}
      ${agent.signed_in && html`<${Act} to=${ownPath("sign-out")}>${t("sign-out")}</${Act}>`}
    </p>
    ${agent.signed_in && paused && more && html`<p class="buttons"><${Reasons} onDone=${() => setMore(false)} /></p>`}
    <p class="serves">${names.length ? html`${t("mine.serves")} <bdi>${names.join(" · ")}</bdi>` : t("mine.serves-none")}</p>
  </section>`;
}
