// An agent's phones: which there are, when and in which order they ring, and mobiles that they add.

import { html, useEffect, useState } from "../vendor/preact.js";
import { useAnswers } from "./answers.js";
import { ask, Refusal } from "./api.js";
import { now } from "./live.js";
import { ownPath } from "./minestate.js";
import { attempt, Dialogue, Mixed, Num, said, Time } from "./parts.js";
import { inWords } from "./phrases.js";
import { duration, t } from "./words.js";

const LOOK_EVERY = 2000; // milliseconds, while a code waits to be keyed in

const device = (phone) => `devices/${encodeURIComponent(phone.id)}`;

/** When a phone rings: how long after the first, and at which hours. */
function Times({ phone, onDone, onClose }) {
  const [problem, setProblem] = useState("");
  const send = async (event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    try {
      await ask("PATCH", ownPath(device(phone)), { ring_after: Number(form.get("after")) || 0, hours: form.get("hours").trim() });
      onDone();
      onClose();
    } catch (error) { setProblem(error instanceof Refusal ? error.message : t("unreachable")); }
  };
  return html`<${Dialogue} title=${t("mine.when-rings", { phone: phone.id })} onClose=${onClose}><form onSubmit=${send}>
    <label>${t("mine.ring-after")}<input name="after" type="number" min="0" max="600" step="1" defaultValue=${phone.ring_after_s} /></label>
    <label>${t("mine.hours")}<input name="hours" dir="ltr" placeholder="mon-fri 08:00-18:00" defaultValue=${phone.hours ?? ""} aria-describedby="mine-hours" /></label>
    <p class="hint" id="mine-hours"><${Mixed} text=${t("mine.hours-hint")} /></p>
    <p class="problem" role="alert">${problem}</p>
    <button class="main">${t("mine.save")}</button></form></${Dialogue}>`;
}

/** The code that the verification call asks for, until it is keyed in or has run out. */
function Code({ code, verified, onClose, onAgain }) {
  const rest = (Date.parse(code.expires_at) - now.value) / 1000;
  if (verified) {
    return html`<p class="code good" role="status"><span aria-hidden="true">✓</span> ${t(verified.status === "waiting" ? "mine.awaits-approval" : "verified")}
      <button class="plain" onClick=${onClose} aria-label=${t("close")}>✕</button></p>`;
  }
  if (rest <= 0) return html`<p class="code" role="status">${t("mine.code-over")} <button onClick=${onAgain}>${t("mine.call-again")}</button></p>`;
  return html`<div class="code"><p role="status">${t("key-code")} <strong><bdi dir="ltr">${code.code}</bdi></strong></p>
    <p class="hint">${t("mine.code-ends")} <${Time} s=${rest} /> <button onClick=${onAgain}>${t("mine.call-again")}</button></p></div>`;
}

function Phone({ phone, place, mobiles, act, onTimes, onRemove }) {
  const registered = phone.source === "registered";
  const note = phone.status === "unverified" ? t("mine.unverified") : phone.status === "waiting" ? t("mine.awaits-approval")
    : !phone.enabled ? t("mine.is-off") : inWords(phone.trouble, phone.trouble_phrase) ?? t(`device.${phone.state}`);
  const good = phone.status === "in-use" && phone.enabled && !phone.trouble;
  const swap = (other) => async () => {
    const before = mobiles[other];
    if (await act("PATCH", device(phone), { order: before.order })) await act("PATCH", device(before), { order: phone.order });
  };
  return html`<li class="phone">
    <span class="which"><strong><bdi>${phone.id}</bdi></strong> <${Num} of=${phone.address} /></span>
    <span class=${`note ${good ? "good" : "warn"}`}><span aria-hidden="true">${good ? "●" : "◆"}</span> <bdi>${note}</bdi></span>
    <span class="when">${phone.ring_after_s ? t("mine.rings-after", { time: duration(phone.ring_after_s) }) : t("mine.rings-at-once")}
      ${phone.hours && html` · <bdi dir="ltr">${phone.hours}</bdi>`}</span>
    <span class="group">
      ${phone.status === "unverified" && html`<button class="main" onClick=${() => act("POST", `${device(phone)}/verify`, {})}>${t("verify")}</button>`}
      ${phone.status === "in-use" && html`<button aria-label=${`${t(phone.enabled ? "switch-off" : "switch-on")}: ${phone.id}`}
        onClick=${() => act("PATCH", device(phone), { enabled: !phone.enabled })}>${t(phone.enabled ? "switch-off" : "switch-on")}</button>`}
      ${registered && mobiles.length > 1 && html`<button class="plain" disabled=${place === 0} onClick=${swap(place - 1)} aria-label=${t("mine.earlier", { phone: phone.id })} title=${t("mine.earlier", { phone: phone.id })}>↑</button>
        <button class="plain" disabled=${place === mobiles.length - 1} onClick=${swap(place + 1)} aria-label=${t("mine.later", { phone: phone.id })} title=${t("mine.later", { phone: phone.id })}>↓</button>`}
      ${registered && html`<button onClick=${onTimes} aria-label=${t("mine.when-rings", { phone: phone.id })}>${t("mine.hours-button")}</button>
        <button class="danger" onClick=${onRemove} aria-label=${`${t("remove")}: ${phone.id}`}>${t("remove")}</button>`}
    </span></li>`;
}

export function Phones({ agent }) {
  const [phones, setPhones] = useState(null);
  const [number, setNumber] = useState("");
  const [problem, setProblem] = useState("");
  const [code, setCode] = useState(null);
  const [times, setTimes] = useState(null);
  const [removing, setRemoving] = useState(null);
  const answers = useAnswers("");
  const look = () => {
    const counts = answers();
    return ask("GET", ownPath("devices")).then((found) => { if (counts()) setPhones(found); }, () => setPhones((before) => before ?? []));
  };
  useEffect(() => { look(); }, [JSON.stringify(agent.devices.map((item) => [item.id, item.enabled, item.state, item.trouble]))]);
  const verified = code && phones?.find((item) => item.id === code.device?.id && item.status !== "unverified");
  useEffect(() => {
    if (!code || verified) return undefined;
    const timer = setInterval(look, LOOK_EVERY); // until the code has been keyed in at the mobile
    return () => clearInterval(timer);
  }, [code, Boolean(verified)]);
  const take = async (answer) => { if (answer.code) setCode(answer); await look(); return answer; };
  const act = (method, path, body) => attempt(async () => take(await ask(method, ownPath(path), body)));
  const add = async (event) => {
    event.preventDefault();
    setProblem("");
    try {
      await take(await ask("POST", ownPath("devices"), { number }));
      setNumber("");
    } catch (error) { setProblem(error instanceof Refusal ? error.message : t("unreachable")); }
  };
  const remove = async () => {
    const answer = await act("DELETE", device(removing));
    setRemoving(null);
    if (answer) { if (code?.device?.id === removing.id) setCode(null); said.value = { text: answer.text, bad: false }; }
  };
  const mobiles = (phones ?? []).filter((item) => item.source === "registered").sort((one, two) => one.order - two.order);
  const rows = [...(phones ?? []).filter((item) => item.source !== "registered"), ...mobiles];
  return html`<section class="card phones" aria-label=${t("phones")}><h2>${t("phones")}</h2>
    ${code && html`<${Code} code=${code} verified=${verified} onClose=${() => setCode(null)} onAgain=${() => act("POST", `${device(code.device)}/verify`, {})} />`}
    <ul class="plain">${rows.map((phone) => html`<${Phone} key=${phone.id} phone=${phone} mobiles=${mobiles} place=${mobiles.indexOf(phone)} act=${act}
      onTimes=${() => setTimes(phone)} onRemove=${() => setRemoving(phone)} />`)}</ul>
    <form class="add" onSubmit=${add}>
      <label>${t("mine.new-mobile")}<input type="tel" dir="ltr" autocomplete="tel" placeholder="07700 900123" value=${number} required maxlength="40"
        aria-describedby="mine-number" aria-invalid=${problem ? "true" : undefined} onInput=${(event) => setNumber(event.currentTarget.value)} /></label>
      <button>${t("add-mobile")}</button>
      <p class="problem" id="mine-number" role="alert"><bdi>${problem}</bdi></p>
    </form>
    ${times && html`<${Times} phone=${times} onDone=${look} onClose=${() => setTimes(null)} />`}
    ${removing && html`<${Dialogue} title=${t("remove-phone")} onClose=${() => setRemoving(null)}>
      <p><bdi>${removing.id}</bdi> <${Num} of=${removing.address} /></p>
      <p class="buttons"><button class="danger" onClick=${remove}>${t("remove")}</button></p></${Dialogue}>`}
  </section>`;
}
