// The agent's own page: state, the call at hand, phones and messages.

import { html, useEffect, useState } from "../vendor/preact.js";
import { ask, session } from "./api.js";
import { agents, ago, calls, left, queues, running } from "./live.js";
import { Act, attempt, Dialogue, Num, State, Time } from "./parts.js";
import { clockTime, count, duration, t } from "./words.js";

const own = () => agents.value.get(session.value.agent);
const path = (rest) => `/api/agents/${encodeURIComponent(session.value.agent)}/${rest}`;

function Pause() {
  const [reasons, setReasons] = useState([]);
  const [text, setText] = useState("");
  useEffect(() => { ask("GET", "/api/pauses").then(setReasons, () => undefined); }, []);
  if (!reasons.length) {
    return html`<span class="pair"><input aria-label=${t("reason")} placeholder=${t("reason")} value=${text} onInput=${(event) => setText(event.currentTarget.value)} />
      <${Act} to=${path("pause")} body=${{ reason: text }}>${t("pause")}</${Act}></span>`;
  }
  return html`<span class="group" role="group" aria-label=${t("pause")}>${reasons.map((item) => html`<${Act} key=${item.reason} to=${path("pause")} body=${{ reason: item.reason }}>
    ${t("pause-for", { reason: item.reason })}${item.longest_s ? html` <small><bdi dir="ltr">${duration(item.longest_s)}</bdi></small>` : ""}</${Act}>`)}</span>`;
}

function Now({ agent }) {
  const wrap = agent.state === "wrap-up" ? left(agent.wrap_up_s, agent.at) : null;
  return html`<section class="card now" aria-label=${t("now")}>
    <p class="standing"><${State} of=${agent.state} /> <${Time} s=${ago(agent.since)} />
      ${agent.state === "paused" && agent.pause_reason ? html`<bdi>${agent.pause_reason}</bdi>` : ""}
      ${agent.until && agent.state === "paused" ? html`<span>${t("until", { time: clockTime(agent.until) })}</span>` : ""}
      ${wrap !== null && html`<strong>${t("ready-in")} <${Time} s=${wrap} /></strong>`}
      ${agent.pending && html`<em>${t(`pending.${agent.pending}`)}</em>`}</p>
    ${agent.why_not.length > 0 && agent.signed_in && !["on-call", "ringing", "reserved", "wrap-up", "paused"].includes(agent.state) && html`<ul class="why">${agent.why_not.map((line) => html`<li key=${line}><bdi>${line}</bdi></li>`)}</ul>`}
    <p class="buttons">
      ${!agent.signed_in && html`<${Act} kind="main" to=${path("sign-in")}>${t("sign-in")}</${Act}>`}
      ${agent.state === "wrap-up" && html`<${Act} kind="main" to=${path("ready")}>${t("ready")}</${Act}>`}
      ${agent.signed_in && agent.pause_reason !== null && html`<${Act} kind="main" to=${path("resume")}>${t("resume")}</${Act}>`}
      ${agent.signed_in && agent.pause_reason === null && html`<${Pause} />`}
      ${agent.signed_in && html`<${Act} to=${path("sign-out")}>${t("sign-out")}</${Act}>`}
    </p>
    <dl class="figures"><div><dt>${t("calls-today")}</dt><dd>${count(agent.calls_today)}</dd></div>
      <div><dt>${t("queues")}</dt><dd>${agent.queues.map((item) => queues.value.get(item.id)?.name ?? item.id).join(", ") || "–"}</dd></div></dl>
  </section>`;
}

function Transfer({ call, onClose }) {
  const [target, setTarget] = useState("");
  const others = [...queues.value.values()];
  const body = () => { const [kind, id] = target.split(":"); return { call: call.id, [kind]: id }; };
  const send = async (act) => { if (await attempt(() => ask("POST", path(`call/${act}`), body()))) onClose(); };
  return html`<${Dialogue} title=${t("transfer")} onClose=${onClose}>
    <label>${t("to")}<select value=${target} onChange=${(event) => setTarget(event.currentTarget.value)}>
      <option value="">–</option>
      ${others.map((queue) => html`<option key=${queue.id} value=${`queue:${queue.id}`}>${t("queue")} ${queue.name}</option>`)}
    </select></label>
    <label>${t("colleague")}<input onInput=${(event) => setTarget(event.currentTarget.value ? `agent:${event.currentTarget.value.trim()}` : "")} /></label>
    <p class="buttons"><button class="main" disabled=${!target} onClick=${() => send("transfer")}>${t("transfer")}</button>
      <button disabled=${!target.startsWith("agent:")} onClick=${() => send("consult")}>${t("consult")}</button></p>
  </${Dialogue}>`;
}

function Conversation({ call }) {
  const [moving, setMoving] = useState(false);
  const talking = call.state === "talking" || call.talk_s !== null;
  return html`<section class=${`card call ${talking ? "" : "rings"}`} aria-label=${t("call")}>
    <p class="who"><strong><${Num} of=${call.caller_number} name=${call.caller_name} /></strong></p>
    <p>${t(talking ? "talking-from" : "rings-from", { queue: queues.value.get(call.queue)?.name ?? call.queue })}
      ${talking ? html` <${Time} s=${running(call.talk_s, call.at)} />` : html` ${t("waited")} <${Time} s=${running(call.wait_s, call.at)} />`}</p>
    ${talking && html`<p class="buttons">
      ${call.held ? html`<${Act} kind="main" to=${path("call/unhold")} body=${{ call: call.id }}>${t("unhold")}</${Act}>`
        : call.can_hold && html`<${Act} to=${path("call/hold")} body=${{ call: call.id }}>${t("hold")}</${Act}>`}
      ${call.consulting ? html`<${Act} kind="main" to=${path("call/complete")} body=${{ call: call.id }}>${t("complete")}</${Act}>
        <${Act} to=${path("call/cancel")} body=${{ call: call.id }}>${t("cancel")}</${Act}>`
        : html`<button onClick=${() => setMoving(true)}>${t("transfer")}</button>`}
    </p>`}
    ${moving && html`<${Transfer} call=${call} onClose=${() => setMoving(false)} />`}
  </section>`;
}

function Phones() {
  const [phones, setPhones] = useState(null);
  const [number, setNumber] = useState("");
  const [code, setCode] = useState(null);
  const agent = own();
  const look = () => ask("GET", path("devices")).then(setPhones, () => setPhones([]));
  useEffect(() => { look(); }, [JSON.stringify(agent?.devices?.map((item) => [item.id, item.enabled, item.state]))]);
  useEffect(() => {
    if (!code) return undefined;
    const timer = setInterval(look, 2000); // until the code has been keyed in at the mobile
    return () => clearInterval(timer);
  }, [code]);
  const act = async (method, rest, body) => {
    const answer = await attempt(() => ask(method, path(`devices${rest}`), body));
    if (answer) { setCode(answer.code ? answer : null); await look(); }
    return answer;
  };
  const add = async (event) => { event.preventDefault(); if (await act("POST", "", { number })) setNumber(""); };
  const verified = code && phones?.some((item) => item.id === code.device?.id && item.status !== "unverified");
  return html`<section class="card phones" aria-label=${t("phones")}><h2>${t("phones")}</h2>
    ${code && !verified && html`<p class="code" role="status">${t("key-code")} <strong><bdi dir="ltr">${code.code}</bdi></strong></p>`}
    ${verified && html`<p class="code good" role="status">✓ ${t("verified")}</p>`}
    <ul class="plain">${(phones ?? []).map((phone) => html`<li key=${phone.id}>
      <span><bdi>${phone.id}</bdi> <${Num} of=${phone.address} /></span>
      <span class="about"><bdi>${phone.trouble ?? t(`device.${phone.state}`)}</bdi></span>
      <span class="group">
        ${phone.status === "unverified" && html`<button onClick=${() => act("POST", `/${phone.id}/verify`, {})}>${t("verify")}</button>`}
        <button aria-pressed=${phone.enabled} onClick=${() => act("PATCH", `/${phone.id}`, { enabled: !phone.enabled })}>${t(phone.enabled ? "switch-off" : "switch-on")}</button>
        ${phone.source === "registered" && html`<button onClick=${() => confirm(t("remove-phone")) && act("DELETE", `/${phone.id}`)}>${t("remove")}</button>`}
      </span></li>`)}</ul>
    <form class="pair" onSubmit=${add}><input aria-label=${t("mobile-number")} placeholder=${t("mobile-number")} inputmode="tel" dir="ltr" value=${number} required onInput=${(event) => setNumber(event.currentTarget.value)} />
      <button>${t("add-mobile")}</button></form>
  </section>`;
}

export function Mine() {
  const agent = own();
  if (!agent) return html`<main><p class="none">${t("no-such-agent")}</p></main>`;
  const mine = [...calls.value.values()].filter((call) => call.agent === agent.id || call.offers.some((offer) => offer.agent === agent.id));
  return html`<main class="mine">
    ${mine.map((call) => html`<${Conversation} key=${call.id} call=${call} />`)}
    <${Now} agent=${agent} />
    <${Phones} />
    ${agent.messages.length > 0 && html`<section class="card"><h2>${t("messages")}</h2><ul class="plain">
      ${[...agent.messages].reverse().map((item) => html`<li key=${item.at + item.text}><small>${clockTime(item.at)}</small> <bdi>${item.text}</bdi></li>`)}</ul></section>`}
  </main>`;
}
