// A queue at a glance: who waits and for how long, how the day goes, what its agents do.

import { html } from "../vendor/preact.js";
import { session } from "./api.js";
import { running } from "./live.js";
import { agentName, CallLink } from "./names.js";
import { Num, SHAPES, stateName, STATES, Time } from "./parts.js";
import { count, duration, share, t } from "./words.js";

const MARKS = { good: "●", warn: "◆", bad: "▲" };
const TOO_LONG = 3; // times as long as a call should wait
const FAR = 10; // percent below the target
const AT_WORK = STATES.filter((state) => !["paused", "offline"].includes(state));
const SHOWN = 12;

/** Whether the agents of others are shown to who looks: an agent sees only their own row. */
const seesAgents = () => session.value?.role !== "agent";

/** How long a wait is, held against the time within which a call of this queue should be answered. */
export function waitMark(queue, seconds) {
  const { within_s: within } = queue.service_level;
  return seconds >= TOO_LONG * within ? "bad" : seconds >= within ? "warn" : "good";
}

/** How today's service level stands against its target; empty without one, or before the first call. */
export function levelMark({ percent, target }) {
  if (percent === null || target === null) return "";
  return percent >= target ? "good" : percent >= target - FAR ? "warn" : "bad";
}

export const longestWait = (queue) => (queue.waiting.length ? Math.max(...queue.waiting.map((call) => running(call.wait_s, queue.at))) : null);

/** How a queue does at this moment. */
export function queueMark(queue) {
  const mark = waitMark(queue, longestWait(queue) ?? 0);
  const staffed = !seesAgents() || AT_WORK.some((state) => queue.agents[state].length > 0);
  return mark === "good" && queue.waiting.length > 0 && !staffed ? "warn" : mark;
}

/** Queues that need attention come first; otherwise each keeps its place, or the page would never be still. */
export function byNeed(one, two) {
  const rank = ["bad", "warn", "good"];
  return rank.indexOf(queueMark(one)) - rank.indexOf(queueMark(two)) || one.name.localeCompare(two.name);
}

const Mark = ({ of, says }) => html`<span class=${`sign is-${of}`} title=${says}><span aria-hidden="true">${MARKS[of]}</span><span class="hidden">${says}</span></span>`;

function Level({ level }) {
  const mark = levelMark(level);
  return html`<div class="level"><dt>${t("board.within", { time: duration(level.within_s) })}</dt>
    <dd><span class=${`value is-${mark || "none"}`}>${share(level.percent === null ? null : level.percent / 100)}</span>
      ${mark && html` <${Mark} of=${mark} says=${t(`board.level.${mark}`)} />`}
      ${level.target !== null && html`<small>${t("board.target", { share: share(level.target / 100) })}</small>`}</dd></div>`;
}

/** How many agents of the queue are in each state. */
export function Staff({ queue }) {
  if (!seesAgents()) return null;
  const found = STATES.filter((state) => queue.agents[state].length > 0);
  if (!found.length) return html`<p class="staff none-here">${t("board.no-agents")}</p>`;
  return html`<ul class="staff" aria-label=${t("board.by-state")}>${found.map((state) => html`<li key=${state} class=${`state ${state}`} title=${stateName(state)}>
    <span aria-hidden="true">${SHAPES[state]}</span> ${count(queue.agents[state].length)} <span class="label">${stateName(state)}</span></li>`)}</ul>`;
}

/** Who waits. A screen on the wall, which strangers may see, says nothing of the callers. */
function Line({ queue, wall }) {
  if (!queue.waiting.length) return null;
  return html`<ol class="line" aria-label=${t("line")}>
    ${queue.waiting.slice(0, SHOWN).map((call) => {
      const waited = running(call.wait_s, queue.at);
      const mark = waitMark(queue, waited);
      return html`<li key=${call.call} class=${`is-${mark}`}>
        <span class="place">${count(call.position)}</span>
        ${wall ? "" : html`<span class="who"><${CallLink} id=${call.call}><${Num} of=${call.caller_number} name=${call.caller_name} /></${CallLink}></span>`}
        ${mark !== "good" && html`<${Mark} of=${mark} says=${t(`alarm.${mark}`)} />`}<${Time} s=${waited} />
        ${call.ringing.length > 0 && html`<span class="rings"><span aria-hidden="true">${SHAPES.ringing}</span> ${t("rings", { names: call.ringing.map(agentName).join(t("board.and")) })}</span>`}
      </li>`;
    })}
    ${queue.waiting.length > SHOWN && html`<li class="more">${t("more", { count: queue.waiting.length - SHOWN })}</li>`}
  </ol>`;
}

export function QueueCard({ queue, wall = false, box = null }) {
  const mark = queueMark(queue);
  const { entered, answered, abandoned } = queue.today;
  return html`<section ref=${box} class=${`card queue is-${mark}`} aria-label=${queue.name}>
    <h2><${Mark} of=${mark} says=${t(`alarm.${mark}`)} /> <bdi>${queue.name}</bdi></h2>
    <dl class="figures">
      <div class="big"><dt>${t("waiting")}</dt><dd>${count(queue.waiting.length)}</dd></div>
      <div class="big"><dt>${t("longest")}</dt><dd><${Time} s=${longestWait(queue)} /></dd></div>
      <${Level} level=${queue.service_level} />
      <div><dt>${t("free")}</dt><dd>${count(queue.free)}</dd></div>
      <div><dt>${t("talking")}</dt><dd>${count(queue.talking)}</dd></div>
      <div><dt>${t("entered")}</dt><dd>${count(entered)}</dd></div>
      <div><dt>${t("answered")}</dt><dd>${count(answered)}</dd></div>
      <div><dt>${t("abandoned")}</dt><dd>${count(abandoned)}</dd></div>
    </dl>
    <${Staff} queue=${queue} />
    <${Line} queue=${queue} wall=${wall} />
  </section>`;
}
