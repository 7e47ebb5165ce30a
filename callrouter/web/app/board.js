// The wallboard: queues with those who wait, and agents by state.

import { html, useMemo, useRef, useState } from "../vendor/preact.js";
import { session } from "./api.js";
import { ClusterLine } from "./clusterline.js";
import { agents, ago, now, queues } from "./live.js";
import { AgentLink } from "./names.js";
import { State, STATES, Time, Window } from "./parts.js";
import { inWords } from "./phrases.js";
import { byNeed, QueueCard } from "./queuecard.js";
import { useInSight } from "./sight.js";
import { language, count, t } from "./words.js";

const ROW = 40; // pixels

function AgentRow({ row }) {
  if (row.heading) return html`<h3 class="heading"><${State} of=${row.heading} /> <small>${count(row.size)}</small></h3>`;
  const about = row.state === "paused" ? row.pause_reason : row.state === "offline" ? null : inWords(row.reason, row.reason_phrase);
  return html`<span class="name" title=${row.id}><${AgentLink} id=${row.id}><bdi>${row.name}</bdi></${AgentLink}></span>
    <${State} of=${row.state} agent=${row} /><${Time} s=${ago(row.since)} />
    <span class="about"><bdi>${about ?? ""}</bdi></span>`;
}

/** Returns the agents by name. Sorting a thousand names takes longer than looking whether one of them has changed. */
function useByName(order) {
  const kept = useRef({ order: null, names: new Map() });
  return useMemo(() => {
    const { names } = kept.current;
    const same = kept.current.order === order && names.size === agents.value.size && [...agents.value.values()].every((agent) => names.get(agent.id) === agent.name);
    if (!same) {
      const sorted = [...agents.value.values()].sort((one, two) => order(one.name, two.name));
      kept.current = { order, names: new Map(sorted.map((agent) => [agent.id, agent.name])) };
    }
    return [...kept.current.names.keys()].map((id) => agents.value.get(id));
  }, [agents.value, order]);
}

/** The agents that fit, by state with a heading for each, and within as they come. */
function grouped(all, only, wanted) {
  const found = new Map(STATES.map((state) => [state, []]));
  for (const agent of all) {
    if ((!only || agent.state === only) && (!wanted || `${agent.id} ${agent.name}`.toLowerCase().includes(wanted))) found.get(agent.state)?.push(agent);
  }
  return STATES.flatMap((state) => {
    const own = found.get(state);
    return own.length ? [{ id: `state ${state}`, heading: state, state, size: own.length }, ...own] : [];
  });
}

function AgentList() {
  const [search, setSearch] = useState("");
  const [only, setOnly] = useState("");
  const order = useMemo(() => new Intl.Collator(language.value).compare, [language.value]);
  const wanted = search.trim().toLowerCase();
  const all = useByName(order);
  const sizes = useMemo(() => { const found = new Map(); for (const agent of all) found.set(agent.state, (found.get(agent.state) ?? 0) + 1); return found; }, [all]);
  const rows = useMemo(() => grouped(all, only, wanted), [all, only, wanted]);
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

/** A queue's card. One that is out of sight is drawn once a second, with the clock, for search and screen readers. */
function SeenCard({ queue }) {
  const box = useRef(null), drawn = useRef({ at: -1 });
  const inSight = useInSight(box), at = now.value;
  if (inSight || drawn.current.at !== at) drawn.current = { at, card: html`<${QueueCard} queue=${queue} box=${box} />` };
  return drawn.current.card; // the same as before is not looked at again
}

export function Board() {
  const rows = [...queues.value.values()].sort(byNeed);
  return html`<main class="board">
    <${ClusterLine} />
    <p class="tools"><a class="button" href="?board">${t("board.wall")}</a>
      ${session.value.role !== "agent" && html`<a class="button" href="#screens">${t("screens.title")}</a>`}</p>
    <div class="queues">${rows.length ? rows.map((queue) => html`<${SeenCard} key=${queue.id} queue=${queue} />`) : html`<p class="none">${t("no-queues")}</p>`}</div>
    ${agents.value.size > 0 && html`<${AgentList} />`}
  </main>`;
}
