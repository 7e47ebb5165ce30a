// The call at hand: who calls while the phone rings, and hold and transfer during the conversation.

import { effect, html, useEffect, useState } from "../vendor/preact.js";
import { ask, session } from "./api.js";
import { agents, queues, running } from "./live.js";
import { agentName } from "./names.js";
import { OutsideNumber } from "./outside_number.js";
import { ownPath } from "./minestate.js";
import { Act, attempt, Dialogue, Num, State, Time } from "./parts.js";
import { isTalking, queueName } from "./ringalert.js";
import { count, t } from "./words.js";

const FRESH = 2000; // milliseconds after which it is asked again who is free: the feed shows an agent no colleagues
const APART = 500; // milliseconds between two questions, however much changes

/** Rows as they are now, in the order in which they were shown before, so that none moves away under a finger. */
const inPlace = (before, rows) => {
  const place = new Map(before.map((row, n) => [row.id, n]));
  const of = (row) => place.get(row.id) ?? before.length;
  return [...rows].sort((one, two) => of(one) - of(two));
};

/** Where callers can go, as it is while this is shown: asked again when something changes in the feed, and every
 * few seconds. Returns it, and what went wrong. */
function useTargets() {
  const [targets, setTargets] = useState(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let timer = null;
    let due = Infinity;
    let over = false;
    const again = (within) => {
      const at = Date.now() + within;
      if (over || at >= due) return;
      clearTimeout(timer);
      due = at;
      timer = setTimeout(look, within);
    };
    const look = async () => {
      due = -Infinity; // until it is answered
      try {
        const found = await ask("GET", ownPath("targets"));
        setTargets((before) => ({ ...found, agents: inPlace(before?.agents ?? [], found.agents) }));
        setProblem("");
      } catch (error) { setProblem(error instanceof TypeError ? t("unreachable") : error.message); }
      due = Infinity;
      again(FRESH);
    };
    const stop = effect(() => { if (agents.value && queues.value) again(timer === null ? 0 : APART); });
    return () => { over = true; stop(); clearTimeout(timer); };
  }, []);
  return [targets, problem];
}

/** Where a caller can go: a queue, or a colleague who can be rung now. */
function Transfer({ call, onClose }) {
  const [targets, problem] = useTargets();
  const [search, setSearch] = useState("");
  const send = (act, body) => async () => {
    if (await attempt(() => ask("POST", ownPath(`call/${act}`), { call: call.id, ...body }))) onClose();
  };
  const wanted = search.trim().toLowerCase();
  const fits = (item) => !wanted || `${item.id} ${item.name}`.toLowerCase().includes(wanted);
  const through = (one) => (one.queues.includes(call.queue) ? call.queue : one.queues[0]);
  return html`<${Dialogue} title=${t("transfer")} onClose=${onClose}>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${targets && html`<label class="search">${t("search")}
      <input type="search" value=${search} onInput=${(event) => setSearch(event.currentTarget.value)} /></label>
    <h3>${t("mine.colleagues")}</h3>
    <ul class="plain targets">${targets.agents.filter(fits).slice(0, 50).map((one) => html`<li key=${one.id}>
      <span><bdi>${one.name}</bdi></span> <${State} of=${one.state} />
      <span class="group">${call.can_hold && html`<button disabled=${!one.free} onClick=${send("consult", { agent: one.id })}>${t("consult")}</button>`}
        <button disabled=${!one.free} onClick=${send("transfer", { agent: one.id, queue: through(one) })}>${t("transfer")}</button></span></li>`)}
      ${targets.agents.filter(fits).length === 0 && html`<li class="about">${t("no-agents")}</li>`}</ul>
    <h3>${t("queues")}</h3>
    <ul class="plain targets">${targets.queues.filter(fits).slice(0, 50).map((one) => html`<li key=${one.id}>
      <span><bdi>${one.name}</bdi></span> <span class="about">${t("mine.free", { count: one.free })}</span>
      <span class="group">${call.can_hold && html`<button disabled=${!one.free} onClick=${send("consult", { queue: one.id })}>${t("consult")}</button>`}
        <button onClick=${send("transfer", { queue: one.id })}>${t("transfer")}</button></span></li>`)}</ul>
    <${OutsideNumber} allowed=${targets.outside} path=${ownPath("call/transfer")} call=${call.id} onDone=${onClose} />`}
  </${Dialogue}>`;
}

function Talk({ call }) {
  const [moving, setMoving] = useState(false);
  const body = { call: call.id };
  return html`<p class="buttons">
      ${call.consulting ? html`<span class=${`consulting ${call.consulting_state}`} role="status">${t("mine.consulting")} <bdi>${agentName(call.consulting)}</bdi>:
          <strong>${t(`mine.consulted.${call.consulting_state}`)}</strong></span>
        <${Act} kind="main" off=${call.consulting_state !== "talking"} to=${ownPath("call/complete")} body=${body}>${t("complete")}</${Act}>
        <${Act} to=${ownPath("call/cancel")} body=${body}>${t("cancel")}</${Act}>`
        : html`${!call.can_hold ? "" : call.held ? html`<${Act} kind="main" to=${ownPath("call/unhold")} body=${body}>${t("unhold")}</${Act}>`
          : html`<${Act} to=${ownPath("call/hold")} body=${body}>${t("hold")}</${Act}>`}
        <button onClick=${() => setMoving(true)}>${t("transfer")}</button>`}
    </p>
    ${!call.can_hold && html`<p class="about">${t("mine.hold-by-phone")}</p>`}
    ${moving && html`<${Transfer} call=${call} onClose=${() => setMoving(false)} />`}`;
}

/** The phones that ring, as the daemon sees them. */
function Rings({ call }) {
  const offer = call.offers.find((item) => item.agent === session.value.agent);
  const phones = Object.entries(offer?.devices ?? {}).filter(([, state]) => state !== "ended");
  if (!phones.length) return null;
  return html`<p class="about">${t("mine.phones-ring")} ${phones.map(([id], n) => html`${n ? " · " : ""}<bdi key=${id} class="phone">${id}</bdi>`)}</p>`;
}

export function Conversation({ call }) {
  const talking = isTalking(call);
  const asked = !talking && call.talk_s !== null; // a colleague asks us about their caller
  const queue = queueName(call.queue);
  const kind = talking ? (call.held ? "held" : "talks") : "rings";
  return html`<section class=${`card call ${kind}`} aria-label=${t("call")}>
    ${!talking && html`<p class="hidden" role="alert">${t("mine.rings", { queue })} ${call.caller_name} ${call.caller_number || t("withheld")}</p>`}
    <p class="from"><span class="what">${t(asked ? "mine.asked" : talking ? (call.held ? "mine.on-hold" : "call.talking") : "state.ringing")}</span> <bdi>${queue}</bdi></p>
    <p class="who">${call.caller_name && html`<bdi class="callername">${call.caller_name}</bdi> `}<${Num} of=${call.caller_number} /></p>
    <p class="clock">${talking ? html`<${Time} s=${running(call.talk_s, call.at)} /> <small>${t("waited")} <${Time} s=${call.wait_s} /></small>`
      : html`${t("waited")} <${Time} s=${asked ? call.wait_s : running(call.wait_s, call.at)} />`}
      ${call.priority !== null && call.priority !== 50 && !talking && html` <small class="tag">${t("priority")} ${count(call.priority)}</small>`}
      ${call.tag && html` <small class="tag"><bdi>${call.tag}</bdi></small>`}</p>
    ${asked && html`<p class="about">${t("mine.asked-by")} <bdi>${call.agent}</bdi></p>`}
    ${!talking && html`<${Rings} call=${call} />`}
    ${talking && html`<${Talk} call=${call} />`}
  </section>`;
}
