// The wallboard: queues with those who wait, and agents by state.

import { html, useState } from "../vendor/preact.js";
import { agents, ago, queues, running } from "./live.js";
import { Num, State, STATES, Time, Window } from "./parts.js";
import { count, share, t } from "./words.js";

const LONG = 60;
const TOO_LONG = 120;
const AGENT_ROW = 40;

/** How a queue does: a word for the colour, with a shape for those who do not see it. */
function alarm(queue, longest) {
  if (longest >= TOO_LONG) return ["bad", "▲"];
  if (longest >= LONG || (queue.waiting.length && !present(queue))) return ["warn", "◆"];
  return ["good", "●"];
}

const present = (queue) => STATES.filter((state) => !["paused", "offline"].includes(state)).reduce((sum, state) => sum + queue.agents[state].length, 0);

function QueueCard({ queue }) {
  const longest = queue.waiting.length ? Math.max(...queue.waiting.map((call) => running(call.wait_s, queue.at))) : null;
  const [word, shape] = alarm(queue, longest ?? 0);
  const { entered, answered, abandoned } = queue.today;
  const ended = answered + abandoned;
  return html`<section class=${`card queue ${word}`} aria-label=${queue.name}>
    <h2><span class="shape" title=${t(`alarm.${word}`)} aria-label=${t(`alarm.${word}`)}>${shape}</span> <bdi>${queue.name}</bdi></h2>
    <dl class="figures">
      <div class="big"><dt>${t("waiting")}</dt><dd>${count(queue.waiting.length)}</dd></div>
      <div class="big"><dt>${t("longest")}</dt><dd><${Time} s=${longest} /></dd></div>
      <div><dt>${t("free")}</dt><dd>${count(queue.free)}</dd></div>
      <div><dt>${t("talking")}</dt><dd>${count(queue.talking)}</dd></div>
      <div><dt>${t("entered")}</dt><dd>${count(entered)}</dd></div>
      <div><dt>${t("abandoned")}</dt><dd>${count(abandoned)}</dd></div>
      <div><dt>${t("answered")}</dt><dd>${share(ended ? answered / ended : null)}</dd></div>
    </dl>
    ${queue.waiting.length > 0 && html`<ol class="line" aria-label=${t("line")}>
      ${queue.waiting.slice(0, 12).map((call) => html`<li key=${call.call}>
        <span class="place">${count(call.position)}</span>
        <span class="who"><${Num} of=${call.caller_number} name=${call.caller_name} /></span>
        <${Time} s=${running(call.wait_s, queue.at)} />
        ${call.ringing.length > 0 && html`<span class="rings">${t("rings", { names: call.ringing.map(nameOf).join(", ") })}</span>`}
      </li>`)}
      ${queue.waiting.length > 12 && html`<li class="more">${t("more", { count: queue.waiting.length - 12 })}</li>`}
    </ol>`}
  </section>`;
}

export const nameOf = (id) => agents.value.get(id)?.name ?? id;

export function AgentList({ children, extra }) {
  const [search, setSearch] = useState("");
  const [only, setOnly] = useState("");
  const wanted = search.trim().toLowerCase();
  const all = [...agents.value.values()];
  const rows = all
    .filter((agent) => (!only || agent.state === only) && (!wanted || `${agent.id} ${agent.name}`.toLowerCase().includes(wanted)))
    .sort((one, two) => STATES.indexOf(one.state) - STATES.indexOf(two.state) || one.name.localeCompare(two.name));
  return html`<section class="card agents" aria-label=${t("agents")}>
    <h2>${t("agents")} <small>${count(all.length)}</small></h2>
    <div class="chips" role="group" aria-label=${t("states")}>
      ${STATES.map((state) => {
        const size = all.filter((agent) => agent.state === state).length;
        return html`<button class="chip" aria-pressed=${only === state} disabled=${!size && only !== state}
          onClick=${() => setOnly(only === state ? "" : state)}><${State} of=${state} /> ${count(size)}</button>`;
      })}
    </div>
    <label class="search"><span class="hidden">${t("search")}</span>
      <input type="search" placeholder=${t("search")} value=${search} onInput=${(event) => setSearch(event.currentTarget.value)} /></label>
    ${rows.length === 0 ? html`<p class="none">${t("no-agents")}</p>` : html`<${Window} rows=${rows} height=${extra ? extra : AGENT_ROW} label=${t("agents")}>
      ${children ?? ((agent) => html`<${AgentRow} agent=${agent} />`)}</${Window}>`}
  </section>`;
}

export function AgentRow({ agent, children }) {
  const about = agent.state === "paused" ? agent.pause_reason : agent.state === "offline" ? null : agent.reason;
  return html`<span class="name" title=${agent.id}><bdi>${agent.name}</bdi></span>
    <${State} of=${agent.state} /><${Time} s=${ago(agent.since)} />
    <span class="about"><bdi>${about ?? ""}</bdi></span>${children}`;
}

export function Board() {
  const rows = [...queues.value.values()].sort((one, two) => two.waiting.length - one.waiting.length || one.name.localeCompare(two.name));
  return html`<main class="board">
    <div class="queues">${rows.length ? rows.map((queue) => html`<${QueueCard} key=${queue.id} queue=${queue} />`) : html`<p class="none">${t("no-queues")}</p>`}</div>
    ${agents.value.size > 0 && html`<${AgentList} />`}
  </main>`;
}
