// A call, on or of any time on record: its facts, what can be done with it now, and its story.

import { html, useEffect, useState } from "../vendor/preact.js";
import { Refused, wordsOf } from "./acts.js";
import { useAnswers } from "./answers.js";
import { CallControls, standingOf, subjectOf, talks } from "./call_controls.js";
import { calls, running } from "./live.js";
import { Num, said, Time } from "./parts.js";
import { agentName, queueName } from "./names.js";
import { address, route } from "./routes.js";
import { Story, tell } from "./story.js";
import { count, t, when, wordFor } from "./words.js";

const PAUSE_MS = 1200;
const AGAIN_MS = 10_000;

/** The address of this page, for a colleague. */
export async function copyAddress() {
  try {
    await navigator.clipboard.writeText(location.href);
    said.value = { text: t("story.copied"), bad: false };
  } catch {
    said.value = { text: location.href, bad: false };
  }
}

function Facts({ call, live }) {
  const shown = live ?? call;
  if (!shown) return null;
  const { place } = standingOf(shown);
  const time = (value, counts) => html`<${Time} s=${counts && live ? running(value, live.at) : value} />`;
  const facts = [
    ["state", html`${t(`call.${shown.state}`)}${shown.held ? ` · ${t("floor.held")}` : ""}`],
    ["queue", html`<bdi>${queueName(shown.queue)}</bdi>`],
    ["agent", shown.agent && html`<a href=${address("agent", shown.agent)}><bdi>${agentName(shown.agent)}</bdi></a>`],
    ["entered", when(shown.entered_at)],
    ["ended", shown.ended_at && when(shown.ended_at)],
    ["waited", time(shown.wait_s, live && !talks(live))],
    ["talked", shown.talk_s !== null && time(shown.talk_s, live && talks(live))],
    ["priority", shown.priority !== null && count(shown.priority)],
    ["place", place !== null && count(place)],
    ["called", shown.called_number && html`<${Num} of=${shown.called_number} />`],
    ["tag", shown.tag && html`<bdi>${shown.tag}</bdi>`],
    ["result", shown.result && wordFor(`reports.word.${shown.result}`, shown.result)],
  ];
  return html`<dl class="figures facts">${facts.filter(([, value]) => value).map(([key, value]) => html`<div key=${key}><dt>${t(`story.fact.${key}`)}</dt><dd>${value}</dd></div>`)}</dl>`;
}

export function CallPage() {
  const { id } = route.value;
  const live = calls.value.get(id);
  const [told, setTold] = useState(null);
  const [problem, setProblem] = useState("");
  const [asking, setAsking] = useState(false);
  const answers = useAnswers(id);
  const look = async () => {
    const counts = answers();
    setAsking(true);
    try {
      const found = await tell(id);
      if (!counts()) return;
      // A part of an id, or `last`, is enough to find a call; the address then has the whole of it.
      if (found.why && found.why.call !== id) location.replace(address("call", found.why.call));
      setTold(found);
      setProblem("");
    } catch (error) {
      if (!counts()) return;
      setProblem(wordsOf(error));
    }
    setAsking(false);
  };
  // A live call's story is read again a moment after the call has changed, as the record follows it.
  const stage = live ? [live.state, live.queue, live.agent, live.held, live.consulting, live.consulting_state, live.priority, live.offers.length].join() : "ended";
  useEffect(() => { setTold(null); setProblem(""); }, [id]);
  useEffect(() => {
    look();
    const timer = setTimeout(look, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [id, stage]);
  // Why a call still waits changes with its agents and not with the call.
  useEffect(() => {
    if (!live) return undefined;
    const timer = setInterval(() => { if (document.visibilityState === "visible") look(); }, AGAIN_MS);
    return () => clearInterval(timer);
  }, [id, Boolean(live)]);
  const shown = live ?? told?.call ?? told?.why;
  return html`<main class="one"><section class="card" aria-label=${t("call")}>
    <header class="title"><h1>${shown ? html`<${Num} of=${shown.caller_number} name=${shown.caller_name} />` : t("call")}</h1>
      <span class="group"><button type="button" onClick=${copyAddress}>${t("story.copy")}</button>
        <button type="button" aria-disabled=${asking} aria-busy=${asking} onClick=${() => !asking && look()}>${t("story.again")}</button></span></header>
    <p class="hint"><bdi dir="ltr">${id}</bdi></p>
    <${Facts} call=${told?.call} live=${live} />
    ${live && html`<div class="buttons"><${CallControls} call=${live} ...${standingOf(live)} quiet /><${Refused} subject=${subjectOf(live)} /></div>`}
    ${shown?.caller_number && html`<p><a href=${address("records", "", { number: shown.caller_number })}>${t("story.same-caller")}</a></p>`}
  </section>
  <section class="card" aria-label=${t("floor.story")}><h2>${t("floor.story")}</h2>
    ${problem && html`<p class="problem" role="alert"><bdi>${problem}</bdi></p>`}
    ${told ? html`<${Story} told=${told} />` : !problem && html`<p role="status"><span class="spinner" aria-hidden="true"></span> ${t("story.reading")}</p>`}
  </section></main>`;
}
