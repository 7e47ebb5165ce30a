// Why an agent is not rung: now, at a time on record, or for one call.

import { html, useEffect, useState } from "../vendor/preact.js";
import { wordsOf } from "./acts.js";
import { ask } from "./api.js";
import { agentName, agentPath, QueueMenu, queueName } from "./names.js";
import { inWords, phrased } from "./phrases.js";
import { address, goTo, route } from "./routes.js";
import { t, when } from "./words.js";

const AGAIN_MS = 1000;

function Answer({ found }) {
  return html`<p class="now-text"><bdi>${inWords(found.text, found.phrase)}</bdi></p>
    ${found.reasons.length > 0 && html`<ul class="why">${phrased(found.reasons, found.reasons_phrases).map((line) => html`<li key=${line}><bdi>${line}</bdi></li>`)}</ul>`}
    ${found.states.length > 0 && html`<h3>${t("whynot.states")}</h3><ul class="plain">${found.states.map((span) => html`<li key=${span.since}><span>${when(span.since)} – ${span.until ? when(span.until) : t("whynot.still")}</span> <bdi>${inWords(span.text, span.phrase)}</bdi></li>`)}</ul>`}
    ${found.queues.length > 0 && html`<h3>${t("queues")}</h3><dl class="by-queue">${found.queues.map((item) => html`<div key=${item.id}><dt><bdi>${queueName(item.id)}</bdi> <small>${t("whynot.waiting", { count: item.waiting })}</small></dt>
      <dd>${item.reasons.length ? html`<ul>${phrased(item.reasons, item.reasons_phrases).map((line) => html`<li key=${line}><bdi>${line}</bdi></li>`)}</ul>` : html`<span class="good">✓ ${t("whynot.nothing")}</span>`}</dd></div>`)}</dl>`}
    ${found.decisions.length > 0 && html`<h3>${t("whynot.decisions")}</h3><ul class="plain">${found.decisions.map((item) => html`<li key=${item.at}><span>${when(item.at)} <a href=${address("call", item.call)}><bdi>${item.rung ? t("whynot.rung", { name: agentName(item.rung) }) : t("call")}</bdi></a></span> <bdi>${inWords(item.text, item.phrase)}</bdi></li>`)}</ul>`}
    ${phrased(found.missing, found.missing_phrases).map((line) => html`<p key=${line} class="hint"><bdi>${line}</bdi></p>`)}`;
}

/** The question is a part of the page's address, so that the answer can be sent to a colleague. */
export function WhyNot({ agent }) {
  const { at = "", call = "", queue = "" } = route.value.query;
  const [form, setForm] = useState({ at, call, queue });
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState("");
  const query = new URLSearchParams(Object.entries({ at, call: at ? "" : call, queue }).filter(([, value]) => value)).toString();
  // For now it is asked again when the agent has changed, at most once a second.
  const stage = at || call ? "" : JSON.stringify([agent.state, agent.why_not, agent.devices.map((device) => device.state)]);
  useEffect(() => setForm({ at, call, queue }), [at, call, queue]);
  useEffect(() => {
    let current = true;
    const timer = setTimeout(() => ask("GET", agentPath(agent.id, `why-not${query && `?${query}`}`)).then(
      (answer) => { if (current) { setFound(answer); setProblem(""); } },
      (error) => { if (current) { setFound(null); setProblem(wordsOf(error)); } },
    ), found ? AGAIN_MS : 0);
    return () => { current = false; clearTimeout(timer); };
  }, [agent.id, query, stage]);
  const go = (wanted) => { setFound(null); goTo(address("agent", agent.id, wanted)); };
  return html`<section class="card whynot" aria-label=${t("whynot.title", { name: agent.name })}><h2>${t("whynot.title", { name: agent.name })}</h2>
    <form class="filters" onSubmit=${(event) => { event.preventDefault(); go(form); }}>
      <label>${t("whynot.at")}<input type="datetime-local" step="1" value=${form.at} onInput=${(event) => setForm({ ...form, at: event.currentTarget.value })} /></label>
      <label>${t("whynot.call")}<input value=${form.call} disabled=${Boolean(form.at)} spellcheck=${false} autocapitalize="none" onInput=${(event) => setForm({ ...form, call: event.currentTarget.value })} /></label>
      <${QueueMenu} label=${t("queue")} none=${t("floor.all-queues")} value=${form.queue} onChange=${(value) => setForm({ ...form, queue: value })} />
      <span class="group"><button class="main">${t("whynot.ask")}</button><button type="button" onClick=${() => go({})}>${t("now")}</button></span></form>
    <div aria-live="polite">${problem && html`<p class="problem"><bdi>${problem}</bdi></p>`}
      ${found ? html`<${Answer} found=${found} />` : !problem && html`<p><span class="spinner" aria-hidden="true"></span> ${t("story.reading")}</p>`}</div></section>`;
}
