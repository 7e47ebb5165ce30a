// All agents with what a supervisor can do for each, and for several at once.

import { html, useState } from "../vendor/preact.js";
import { refusalOf, Refused, RunState, sure, useRun } from "./acts.js";
import { AgentControls, LONGEST, PauseForm, possible, subjectOf } from "./agent_controls.js";
import { ask } from "./api.js";
import { agents, ago, queues } from "./live.js";
import { State, STATES, Time, Window } from "./parts.js";
import { agentPath, byName } from "./names.js";
import { inWords } from "./phrases.js";
import { address } from "./routes.js";
import { count, t } from "./words.js";

const ROW = 56;

function Row({ agent, chosen, onChoose }) {
  const about = agent.pending ? t(`pending.${agent.pending}`) : agent.state === "paused" ? agent.pause_reason : agent.state === "offline" ? "" : inWords(agent.reason, agent.reason_phrase) ?? "";
  return html`<label class="tick"><input type="checkbox" checked=${chosen} aria-label=${t("floor.choose", { name: agent.name })} onChange=${onChoose} /></label>
    <a class="name" href=${address("agent", agent.id)} title=${agent.id}><bdi>${agent.name}</bdi></a>
    <${State} of=${agent.state} agent=${agent} /><${Time} s=${ago(agent.since)} />
    <span class="about" title=${about}><bdi>${about}</bdi></span>
    <${AgentControls} agent=${agent} />
    <a class="button" href=${address("agent", agent.id)} aria-label=${t("floor.more-about", { name: agent.name })}>${t("floor.more")}</a>
    <${Refused} subject=${subjectOf(agent)} />`;
}

/** The same line to all that are chosen. */
function MessageAll({ count: size, send, disabled }) {
  const [text, setText] = useState("");
  const go = async (event) => { event.preventDefault(); await send(text); setText(""); };
  return html`<details class="menu"><summary>${t("floor.message")} <small>${count(size)}</small></summary><div><form onSubmit=${go}>
    <label>${t("floor.message-all")}<input maxlength=${LONGEST} required value=${text} onInput=${(event) => setText(event.currentTarget.value)} /></label>
    <button disabled=${disabled}>${t("floor.send")}</button></form></div></details>`;
}

/** What can be done for all that are chosen. Those for whom it was refused stay chosen. */
function Batch({ rows, onLeft }) {
  const [state, begin, clear] = useRun();
  const running = state?.running ?? false;
  const run = async (what, body, first = false) => {
    const able = what === "message" ? rows : rows.filter((agent) => possible(agent)[what]);
    if (first && !(await sure(t("floor.sign-out-all?", { count: able.length }), t(what)))) return;
    const left = await begin(able.map((agent) => ({ id: agent.id, subject: subjectOf(agent) })), (id) => ask("POST", agentPath(id, what), body));
    onLeft(left);
  };
  const ableTo = (what) => rows.filter((agent) => possible(agent)[what]).length;
  const button = (what, first = false) => ableTo(what) > 0 && html`<button type="button" disabled=${running} class=${first ? "danger" : ""} onClick=${() => run(what, {}, first)}>${t(what)} <small>${count(ableTo(what))}</small></button>`;
  if (!rows.length && !state) return null;
  return html`<div class="batch" role="group" aria-label=${t("floor.batch")}>
    <strong>${t("floor.chosen", { count: rows.length })}</strong>
    ${button("sign-in")}${button("resume")}${button("ready")}
    ${ableTo("pause") > 0 && html`<details class="menu"><summary>${t("floor.pause")} <small>${count(ableTo("pause"))}</small></summary><div>
      <${PauseForm} subject="batch" disabled=${running} send=${(reason) => run("pause", { reason })} /></div></details>`}
    ${rows.length > 0 && html`<${MessageAll} count=${rows.length} disabled=${running} send=${(text) => run("message", { text })} />`}
    ${button("sign-out", true)}
    <button type="button" class="plain" disabled=${running} onClick=${() => { clear(); onLeft([]); }}>${t("floor.choose-none")}</button>
    <${RunState} state=${state} />
    ${state?.refused > 0 && !running && html`<ul class="refusals">${rows.filter((agent) => refusalOf(subjectOf(agent))).map((agent) => html`<li key=${agent.id}><bdi>${agent.name}</bdi>: <bdi>${refusalOf(subjectOf(agent))}</bdi></li>`)}</ul>`}
  </div>`;
}

export function FloorAgents() {
  const [search, setSearch] = useState("");
  const [only, setOnly] = useState("");
  const [queue, setQueue] = useState("");
  const [chosen, setChosen] = useState(new Set());
  const wanted = search.trim().toLowerCase();
  const all = [...agents.value.values()];
  const here = all.filter((agent) => (!queue || agent.queues.some((item) => item.id === queue))
    && (!wanted || `${agent.id} ${agent.name} ${agent.pause_reason ?? ""}`.toLowerCase().includes(wanted)));
  const rows = here.filter((agent) => !only || agent.state === only)
    .sort((one, two) => STATES.indexOf(one.state) - STATES.indexOf(two.state) || byName(one, two));
  const flip = (id) => setChosen((old) => { const made = new Set(old); if (!made.delete(id)) made.add(id); return made; });
  const picked = all.filter((agent) => chosen.has(agent.id));
  const whole = rows.length > 0 && rows.every((agent) => chosen.has(agent.id));
  return html`<section class="card agents" aria-label=${t("agents")}>
    <h2>${t("agents")} <small>${count(all.length)}</small></h2>
    <div class="filters"><label><span class="hidden">${t("queue")}</span><select value=${queue} onChange=${(event) => setQueue(event.currentTarget.value)}>
        <option value="">${t("floor.all-queues")}</option>${[...queues.value.values()].sort(byName).map((item) => html`<option key=${item.id} value=${item.id}>${item.name}</option>`)}</select></label>
      <label class="grow"><span class="hidden">${t("floor.search-agents")}</span><input type="search" placeholder=${t("floor.search-agents")} value=${search} onInput=${(event) => setSearch(event.currentTarget.value)} /></label></div>
    <div class="chips" role="group" aria-label=${t("states")}>${STATES.map((state) => {
      const size = here.filter((agent) => agent.state === state).length;
      return html`<button key=${state} type="button" class="chip" aria-pressed=${only === state} disabled=${!size && only !== state}
        onClick=${() => setOnly(only === state ? "" : state)}><${State} of=${state} /> ${count(size)}</button>`;
    })}</div>
    <label class="tick all"><input type="checkbox" checked=${whole} onChange=${() => setChosen(whole ? new Set() : new Set(rows.map((agent) => agent.id)))} /> ${t("floor.choose-all", { count: rows.length })}</label>
    <${Batch} rows=${picked} onLeft=${(left) => setChosen(new Set(left))} />
    ${rows.length === 0 ? html`<p class="none">${t("no-agents")}</p>` : html`<${Window} rows=${rows} height=${ROW} label=${t("agents")}>
      ${(agent) => html`<${Row} agent=${agent} chosen=${chosen.has(agent.id)} onChoose=${() => flip(agent.id)} />`}</${Window}>`}
  </section>`;
}
