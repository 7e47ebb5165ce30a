// An agent for a supervisor: what they do, what can be done for them, why they are not rung, and their phones.

import { html } from "../vendor/preact.js";
import { Refused } from "./acts.js";
import { AgentControls, Message, subjectOf } from "./agent_controls.js";
import { CallControls, standingOf, talks } from "./call_controls.js";
import { copyAddress } from "./call_page.js";
import { agents, ago, calls, connected, left, running } from "./live.js";
import { Num, State, Time } from "./parts.js";
import { queueName } from "./names.js";
import { AgentPhones } from "./phones.js";
import { inWords } from "./phrases.js";
import { address, route } from "./routes.js";
import { WhyNot } from "./why_not.js";
import { clockTime, count, t } from "./words.js";

function Standing({ agent }) {
  const wrap = agent.state === "wrap-up" ? left(agent.wrap_up_s, agent.at) : null;
  return html`<p class="standing"><${State} of=${agent.state} agent=${agent} /> <${Time} s=${ago(agent.since)} />
    ${agent.state === "paused" && agent.pause_reason ? html`<bdi>${agent.pause_reason}</bdi>` : ""}
    ${agent.state === "paused" && agent.until ? html`<span>${t("until", { time: clockTime(agent.until) })}</span>` : ""}
    ${wrap !== null && html`<span>${t("ready-in")} <${Time} s=${wrap} /></span>`}
    ${agent.pending && html`<em>${t(`pending.${agent.pending}`)}</em>`}
    ${agent.by && html`<small>${t("floor.by", { name: agent.by })}</small>`}</p>`;
}

function Talks({ agent }) {
  const own = [...calls.value.values()].filter((call) => call.agent === agent.id || call.offers.some((offer) => offer.agent === agent.id));
  if (!own.length) return null;
  return html`<ul class="plain">${own.map((call) => html`<li key=${call.id}><span><a href=${address("call", call.id)}><${Num} of=${call.caller_number} name=${call.caller_name} /></a> <bdi>${queueName(call.queue)}</bdi> ${t(`call.${call.state}`)}${call.held ? ` · ${t("floor.held")}` : ""} <${Time} s=${running(talks(call) ? call.talk_s : call.wait_s, call.at)} /></span>
    <${CallControls} call=${call} ...${standingOf(call)} /></li>`)}</ul>`;
}

export function AgentPage() {
  const { id } = route.value;
  const agent = agents.value.get(id);
  if (!agent) return html`<main class="one"><p class="none">${connected.value ? t("floor.no-such-agent", { name: id }) : "…"}</p></main>`;
  return html`<main class="one agent-page"><section class="card now" aria-label=${agent.name}>
      <header class="title"><h1><bdi>${agent.name}</bdi></h1><span class="group"><button type="button" onClick=${copyAddress}>${t("story.copy")}</button></span></header>
      <${Standing} agent=${agent} />
      <div class="buttons"><${AgentControls} agent=${agent} all /><${Refused} subject=${subjectOf(agent)} /></div>
      <${Talks} agent=${agent} />
      <dl class="figures"><div><dt>${t("calls-today")}</dt><dd>${count(agent.calls_today)}</dd></div>
        <div><dt>${t("floor.missed")}</dt><dd>${count(agent.missed_in_a_row)}</dd></div>
        <div><dt>${t("queues")}</dt><dd>${agent.queues.map((item) => html`<bdi key=${item.id}>${queueName(item.id)}</bdi> <small>${t("floor.level", { level: item.priority })}</small> `)}</dd></div></dl>
      <h2>${t("floor.message")}</h2><${Message} agent=${agent} />
      ${agent.messages.length > 0 && html`<ul class="plain messages" aria-label=${t("messages")}>${agent.messages.map((item, n) => html`<li key=${item.at + item.text}><small>${clockTime(item.at)}</small> <bdi>${inWords(item.text, agent.messages_phrases[n])}</bdi></li>`).reverse()}</ul>`}
      <p><a href=${address("records", "", { agent: id })}>${t("floor.ended-calls")}</a></p></section>
    <${WhyNot} key=${`why ${id}`} agent=${agent} />
    <${AgentPhones} key=${id} id=${id} /></main>`;
}
