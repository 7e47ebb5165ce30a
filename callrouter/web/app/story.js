// The story of a call: what happened and when, which agents were rung, and why they were; from the record and from
// the daemon's explanations. It is the same for a call that is on and for one of last year.

import { html } from "../vendor/preact.js";
import { ask } from "./api.js";
import { agentName, callPath, queueName } from "./names.js";
import { inWords, phrased } from "./phrases.js";
import { Lanes } from "./story_lanes.js";
import { address } from "./routes.js";
import { duration, t, when } from "./words.js";

/** Steps of the explanation that the record does not have as such. */
const ONLY_EXPLAINED = new Set(["rule", "moved", "shared", "replaced", "requeued"]);

/** Ask for all there is about a call. What is not there any more is told by `problems`. */
export async function tell(id) {
  const [call, report, why] = await Promise.allSettled([
    ask("GET", callPath(id)),
    ask("GET", `/api/reports/call?call=${encodeURIComponent(id)}`),
    ask("GET", callPath(id, "why")),
  ]);
  const broken = [call, report, why].find((item) => item.status === "rejected" && item.reason instanceof TypeError);
  if (broken) throw broken.reason;
  if (call.status === "rejected" && report.status === "rejected" && why.status === "rejected") throw why.reason;
  return {
    call: call.value ?? null,
    why: why.value ?? null,
    notes: report.value?.notes.slice(0, 1) ?? [], notePhrases: report.value?.notes_phrases ?? [],
    steps: merged(report.value?.rows ?? null, why.value?.steps ?? []),
    problems: [report, why].filter((item) => item.status === "rejected").map((item) => item.reason.message),
  };
}

/** The record's steps in order of time, with the explanation of each offer; without a record the explanation's. */
function merged(rows, explained) {
  const reasons = new Map(explained.filter((step) => step.offer).map((step) => [step.offer, step]));
  const steps = (rows ?? []).map((row) => ({
    at: Date.parse(row.at), what: row.what, queue: row.queue, agent: row.agent, after: row.after_s, detail: row.detail ?? "", phrase: row.detail_phrase,
    offer: row.offer, why: row.what === "offered" ? reasons.get(row.offer) : undefined,
  }));
  for (const step of explained) {
    if (rows === null || ONLY_EXPLAINED.has(step.kind)) {
      steps.push({ at: Date.parse(step.at), what: step.kind, queue: step.queue, agent: step.agent ?? null, after: null, detail: step.text, phrase: step.phrase, offer: null, why: step.offer ? step : undefined });
    }
  }
  return steps.sort((one, two) => one.at - two.at);
}

/** The word for a step; the daemon's own where the catalogue has none. */
function word(what) {
  const key = `story.${what.replaceAll(" ", "-")}`;
  const text = t(`story.${what.replaceAll(" ", "-")}`);
  return text === key ? what : text;
}

function Reasons({ step }) {
  return html`<details class="reasons"><summary><bdi>${inWords(step.text, step.phrase)}</bdi></summary>
    ${step.candidates.length > 0 && html`<h4>${t("story.candidates")}</h4><ol>${step.candidates.map((one) => html`<li key=${one.agent}><strong><bdi>${agentName(one.agent)}</bdi></strong> <bdi>${inWords(one.text, one.phrase)}</bdi></li>`)}</ol>`}
    ${step.passed_over.length > 0 && html`<h4>${t("story.passed-over")}</h4><ul>${step.passed_over.map((one) => html`<li key=${one.reason + one.text}><bdi>${inWords(one.text, one.phrase)}</bdi>: <bdi>${one.agents.map(agentName).join(", ")}</bdi>
      ${one.count > one.agents.length ? html` <small>${t("more", { count: one.count - one.agents.length })}</small>` : ""}</li>`)}</ul>`}
    ${step.outcome && html`<p><strong>${t("story.outcome")}</strong> <bdi>${inWords(step.outcome.text, step.outcome.phrase)}</bdi></p>`}
  </details>`;
}

function Step({ step, day }) {
  const about = [step.agent && agentName(step.agent), step.queue && queueName(step.queue)].filter(Boolean);
  return html`<li class=${`step ${step.what.replaceAll(" ", "-")}`}>
    <time datetime=${new Date(step.at).toISOString()} title=${when(step.at)}><bdi>${when(step.at, day ? { dateStyle: "short", timeStyle: "medium" } : { timeStyle: "medium" })}</bdi></time>
    <div><strong>${word(step.what)}</strong> ${about.length > 0 && html`<bdi>${about.join(" · ")}</bdi>`}
      ${step.after !== null && step.after !== undefined && html` <small>${t("story.after", { time: duration(step.after) })}</small>`}
      ${step.detail && !step.why && html`<p class="detail"><bdi>${inWords(step.detail, step.phrase)}</bdi></p>`}
      ${step.why && html`<${Reasons} step=${step.why} />`}</div></li>`;
}

/** The people of a story, each with a link to their page. */
function Cast({ steps }) {
  const names = [...new Set(steps.map((step) => step.agent).filter(Boolean))];
  if (!names.length) return null;
  return html`<p class="cast">${t("story.agents", { count: names.length })} ${names.map((id) => html`<a key=${id} class="button" href=${address("agent", id)}><bdi>${agentName(id)}</bdi></a> `)}</p>`;
}

export function Story({ told }) {
  const { steps, why } = told;
  const days = new Set(steps.map((step) => new Date(step.at).toDateString())).size > 1;
  return html`<div class="told">
    ${why?.now && html`<p class="now-text"><bdi>${inWords(why.now.text, why.now.phrase)}</bdi></p>
      ${why.now.passed_over.length > 0 && html`<ul>${why.now.passed_over.map((one) => html`<li key=${one.reason + one.text}><bdi>${inWords(one.text, one.phrase)}</bdi>: <bdi>${one.agents.map(agentName).join(", ")}</bdi>${one.count > one.agents.length ? html` <small>${t("more", { count: one.count - one.agents.length })}</small>` : ""}</li>`)}</ul>`}`}
    ${phrased(told.notes, told.notePhrases).map((note) => html`<p key=${note} class="hint"><bdi>${note}</bdi></p>`)}
    <${Lanes} steps=${steps} open=${!told.call?.ended_at} />
    <${Cast} steps=${steps} />
    ${why?.left_out > 0 && html`<p class="hint">${t("story.left-out", { count: why.left_out })}</p>`}
    <ol class="timeline" aria-label=${t("story.timeline", { count: steps.length })}>${steps.map((step, n) => html`<${Step} key=${n} step=${step} day=${days} />`)}</ol>
    ${told.problems.map((text) => html`<p key=${text} class="hint"><bdi>${text}</bdi></p>`)}
  </div>`;
}
