// A call as coloured lanes over time: the caller's waiting, talking and holding, and each agent's phone.

import { html } from "../vendor/preact.js";
import { now } from "./live.js";
import { agentName } from "./names.js";
import { duration, t } from "./words.js";

const WIDTH = 1000;
const MOST = 12;
const HEIGHT = 14;

/** What begins and what ends a stretch of each kind. */
const BEGINS = { entered: "waits", offered: "rings", connected: "talks", held: "holds" };
const ENDS = {
  waits: ["connected", "left", "abandoned"], rings: ["accepted", "offer ended"],
  talks: ["conversation ended"], holds: ["retrieved", "conversation ended"],
};
const CALLER = "";

/** The stretches of a story by lane: `{ lane, kind, from, to }` in epoch milliseconds. */
export function stretches(steps, end) {
  const found = [];
  const open = [];
  for (const step of steps) {
    for (const one of [...open]) {
      const same = one.kind === "waits" || one.kind === "holds" || one.agent === step.agent;
      if (!ENDS[one.kind].includes(step.what) || !same || (one.kind === "rings" && one.offer !== step.offer)) continue;
      open.splice(open.indexOf(one), 1);
      found.push({ ...one, to: step.at });
    }
    const kind = BEGINS[step.what];
    if (kind === undefined) continue;
    const caller = kind === "waits" || kind === "holds";
    open.push({ kind, lane: caller ? CALLER : step.agent ?? "?", agent: step.agent, offer: step.offer, from: step.at });
    if (kind === "talks") open.push({ kind, lane: CALLER, agent: step.agent, offer: step.offer, from: step.at });
  }
  return [...found, ...open.map((one) => ({ ...one, to: end }))];
}

export function Lanes({ steps, open }) {
  const ends = steps.filter((step) => step.what !== "wrap-up ended").map((step) => step.at);
  if (ends.length < 2) return null;
  const end = open ? Math.max(now.value, ...ends) : Math.max(...ends);
  const begin = Math.min(...ends);
  const parts = stretches(steps, end);
  const lanes = [...new Set([CALLER, ...parts.map((part) => part.lane)])];
  const place = (at) => ((at - begin) / Math.max(1, end - begin)) * WIDTH;
  return html`<figure class="lanes" aria-label=${t("story.lanes", { time: duration((end - begin) / 1000) })}>
    ${lanes.slice(0, MOST).map((lane) => html`<div key=${lane} class="lane"><span class="name"><bdi>${lane === CALLER ? t("caller") : agentName(lane)}</bdi></span>
      <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">${parts.filter((part) => part.lane === lane).map((part, n) => html`<rect key=${n} class=${part.kind}
        x=${place(part.from)} width=${Math.max(2, place(part.to) - place(part.from))} y=${part.kind === "holds" ? HEIGHT / 2 : 0} height=${part.kind === "holds" ? HEIGHT / 2 : HEIGHT} />`)}</svg></div>`)}
    ${lanes.length > MOST && html`<p class="more">${t("more", { count: lanes.length - MOST })}</p>`}
    <figcaption>${["waits", "rings", "talks", "holds"].map((kind) => html`<span key=${kind} class=${`legend ${kind}`}>${t(`story.lane.${kind}`)}</span> `)}<span class="spring"></span><bdi dir="ltr">${duration((end - begin) / 1000)}</bdi></figcaption>
  </figure>`;
}
