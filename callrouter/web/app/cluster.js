// The cluster, for admins: each pool, the node that is active, those that could take over, and handing over.

import { html, useEffect, useState } from "../vendor/preact.js";
import { ask } from "./api.js";
import { attempt, Dialogue } from "./parts.js";
import { clusterName, clusterOf } from "./clusterline.js";
import { phrased } from "./phrases.js";
import { dayAndTime, duration, t } from "./words.js";

const EVERY = 2000; // milliseconds between two looks
const TAKES = 15000; // milliseconds for another node to take over
const SHAPES = { active: "●", standby: "○", away: "▲" };

const sleep = (time) => new Promise((done) => setTimeout(done, time));

function Node({ node, pool, onHandOver }) {
  const since = node.role === "away" ? "" : node.since;
  return html`<tr class=${node.role}>
    <td data-title=${t("cluster.node")}><strong><bdi>${node.name}</bdi></strong>
      ${node.name === clusterOf()?.node && pool.pool === clusterOf()?.pool ? html` <span class="mark">${t("cluster.here")}</span>` : ""}</td>
    <td data-title=${t("cluster.role")}><span class=${`role ${node.role}`}><span aria-hidden="true">${SHAPES[node.role]}</span> ${t(`cluster.role.${node.role}`)}</span></td>
    <td data-title=${t("cluster.since")}>${since ? html`<bdi>${dayAndTime(since)}</bdi>` : "–"}</td>
    <td data-title=${t("cluster.seen")}><bdi dir="ltr">${duration(node.seen_s)}</bdi></td>
    <td data-title=${t("cluster.version")}><bdi dir="ltr">${node.version}</bdi></td>
    <td data-title=${t("cluster.config")} class=${node.config_differs ? "differs" : ""}><bdi dir="ltr" title=${node.config}>${node.config.slice(0, 8) || "–"}</bdi></td>
    <td data-title=${t("cluster.address")}><bdi dir="ltr">${node.url}</bdi></td>
    <td>${node.role === "standby" && pool.active ? html`<button aria-label=${t("cluster.hand-over-to", { name: node.name })} onClick=${() => onHandOver(pool, node)}>${t("cluster.hand-over")}</button>` : ""}</td>
  </tr>`;
}

function Pool({ pool, onHandOver }) {
  const troubles = [...phrased(pool.trouble, pool.trouble_phrases).map((text) => ({ text })),
    ...pool.nodes.flatMap((node) => phrased(node.trouble, node.trouble_phrases).map((text) => ({ name: node.name, text })))];
  return html`<section class="card pool" aria-labelledby=${`pool-${pool.pool}`}>
    <h2 id=${`pool-${pool.pool}`}>${t("cluster.pool")} <bdi>${pool.pool}</bdi></h2>
    <p class=${pool.active ? "" : "problem"}>${pool.active ? t("cluster.active", { name: clusterName(pool.active), since: dayAndTime(pool.since) }) : t("cluster.none-active")}
      ${pool.hand_to ? html` <span class="mark">${t("cluster.being-handed", { name: clusterName(pool.hand_to) })}</span>` : ""}</p>
    ${troubles.length > 0 && html`<ul class="troubles">${troubles.map(({ name, text }) => html`<li key=${`${name}: ${text}`}>${name && html`<bdi>${name}</bdi>: `}<bdi>${text}</bdi></li>`)}</ul>`}
    <div class="scroll"><table class="stack"><thead><tr>
      ${["node", "role", "since", "seen", "version", "config", "address"].map((name) => html`<th scope="col" key=${name}>${t(`cluster.${name}`)}</th>`)}
      <th scope="col"><span class="hidden">${t("actions")}</span></th></tr></thead>
    <tbody>${pool.nodes.map((node) => html`<${Node} key=${node.name} node=${node} pool=${pool} onHandOver=${onHandOver} />`)}</tbody></table></div>
  </section>`;
}

/** Order a hand-over and wait until it is done: the page itself may be cut off from its node for a second. */
async function handOver(pool, node) {
  await ask("POST", "/api/cluster/hand-over", { pool: pool.pool, to: node.name });
  for (const until = Date.now() + TAKES; Date.now() < until; await sleep(500)) {
    const found = await ask("GET", "/api/cluster").catch(() => null);
    const now = found?.pools.find((item) => item.pool === pool.pool);
    if (now?.active === node.name && now.epoch > pool.epoch) return;
  }
  throw new Error(t("cluster.not-taken", { name: node.name }));
}

export function Cluster() {
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState("");
  const [asked, setAsked] = useState(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    let gone = false;
    (async () => {
      while (!gone) {
        try {
          const view = await ask("GET", "/api/cluster");
          if (!gone) { setFound(view); setProblem(""); }
        } catch (error) { if (!gone) setProblem(error instanceof TypeError ? t("unreachable") : error.message); }
        await sleep(EVERY);
      }
    })();
    return () => { gone = true; };
  }, []);
  const go = async () => {
    const { pool, node } = asked;
    setBusy(true);
    await attempt(() => handOver(pool, node), t("cluster.taken", { name: node.name, pool: pool.pool }));
    setBusy(false);
    setAsked(null);
  };
  return html`<main class="cluster">
    <h1 class="hidden">${t("view.cluster")}</h1>
    ${problem && html`<p class="problem" role="alert"><bdi>${problem}</bdi></p>`}
    ${found === null ? html`<p class="none" role="status">…</p>` : found.pools.map((pool) => html`<${Pool} key=${pool.pool} pool=${pool} onHandOver=${(of, node) => setAsked({ pool: of, node })} />`)}
    ${asked && html`<${Dialogue} title=${t("cluster.hand-over")} onClose=${() => setAsked(null)}>
      <p>${t("cluster.sure", { name: asked.node.name, pool: asked.pool.pool, active: asked.pool.active })}</p>
      <p class="buttons"><button class="main" disabled=${busy} onClick=${go}>${t(busy ? "cluster.handing" : "cluster.hand-over")}</button></p></${Dialogue}>`}
  </main>`;
}
