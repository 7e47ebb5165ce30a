// The wallboard: queues with those who wait, and agents by state.

import { html, useMemo, useState } from "../vendor/preact.js";
import { session } from "./api.js";
import { agents, ago, queues } from "./live.js";
import { AgentLink } from "./names.js";
import { State, STATES, Time, Window } from "./parts.js";
import { byNeed, QueueCard } from "./queuecard.js";
import { language, count, t } from "./words.js";

const ROW = 40; // pixels

const RANK = new Map(STATES.map((state, n) => [state, n]));

function AgentRow({ row }) {
  if (row.heading) return html`<h3 class="heading"><${State} of=${row.heading} /> <small>${count(row.size)}</small></h3>`;
  const about = row.state === "paused" ? row.pause_reason : row.state === "offline" ? null : row.reason;
  return html`<span class="name" title=${row.id}><${AgentLink} id=${row.id}><bdi>${row.name}</bdi></${AgentLink}></span>
    <${State} of=${row.state} agent=${row} /><${Time} s=${ago(row.since)} />
    <span class="about"><bdi>${about ?? ""}</bdi></span>`;
}

/** The agents that fit, by state with a heading for each, and by name within. */
function grouped(all, only, wanted, order) {
  const fitting = all.filter((agent) => (!only || agent.state === only) && (!wanted || `${agent.id} ${agent.name}`.toLowerCase().includes(wanted)));
  fitting.sort((one, two) => RANK.get(one.state) - RANK.get(two.state) || order(one.name, two.name));
  const rows = [];
  for (const agent of fitting) {
    if (rows.at(-1)?.state !== agent.state) rows.push({ id: `state ${agent.state}`, heading: agent.state, state: agent.state, size: 0 });
    rows.push(agent);
  }
  let heading = null;
  for (const row of rows) {
    if (row.heading) heading = row;
    else heading.size += 1;
  }
  return rows;
}

function AgentList() {
  const [search, setSearch] = useState("");
  const [only, setOnly] = useState("");
  const order = useMemo(() => new Intl.Collator(language.value).compare, [language.value]);
  const wanted = search.trim().toLowerCase();
  const all = useMemo(() => [...agents.value.values()], [agents.value]);
  const sizes = useMemo(() => { const found = new Map(); for (const agent of all) found.set(agent.state, (found.get(agent.state) ?? 0) + 1); return found; }, [all]);
  const rows = useMemo(() => grouped(all, only, wanted, order), [all, only, wanted, order]);
  return html`<section class="card agents" aria-label=${t("agents")}>
    <h2>${t("agents")} <small>${count(all.length)}</small></h2>
    <div class="chips" role="group" aria-label=${t("states")}>
      ${STATES.map((state) => html`<button class="chip" key=${state} aria-pressed=${only === state} disabled=${!sizes.get(state) && only !== state}
        onClick=${() => setOnly(only === state ? "" : state)}><${State} of=${state} /> ${count(sizes.get(state) ?? 0)}</button>`)}
    </div>
    <label class="search"><span class="hidden">${t("search")}</span>
      <input type="search" placeholder=${t("search")} value=${search} onInput=${(event) => setSearch(event.currentTarget.value)} /></label>
    ${rows.length === 0 ? html`<p class="none">${t("no-agents")}</p>` : html`<${Window} rows=${rows} height=${ROW} label=${t("agents")}>
      ${(row) => html`<${AgentRow} row=${row} />`}</${Window}>`}
  </section>`;
}

export function Board() {
  const rows = [...queues.value.values()].sort(byNeed);
  return html`<main class="board">
    <p class="tools"><a class="button" href="?board">${t("full-screen")}</a>
      ${session.value.role !== "agent" && html`<a class="button" href="#screens">${t("screens.title")}</a>`}</p>
    <div class="queues">${rows.length ? rows.map((queue) => html`<${QueueCard} key=${queue.id} queue=${queue} />`) : html`<p class="none">${t("no-queues")}</p>`}</div>
    ${agents.value.size > 0 && html`<${AgentList} />`}
  </main>`;
}
