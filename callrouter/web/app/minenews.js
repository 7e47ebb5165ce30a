// What an agent is told: who changed their state and why, what the router did, lines that people wrote.

import { effect, html, signal } from "../vendor/preact.js";
import { session } from "./api.js";
import { agents } from "./live.js";
import { said } from "./parts.js";
import { inWords } from "./phrases.js";
import { clockTime, t } from "./words.js";

const MOST = 12;
/** What the state tells of messages that came while we looked, as a word of the page with values, by their time. */
const known = signal(new Map());
let seen = null; // the time of the last message that was shown

/** What another person did to an agent, as a word of the page with values; undefined: the state does not tell. */
function told(agent, message) {
  if (!agent.by || agent.by === agent.id || agent.by_at !== message.at) return undefined;
  const name = agent.by;
  if (!agent.signed_in) return ["mine.by.signed-out", { name }];
  if (agent.pause_reason === null) return [agent.signed_in_at === agent.by_at ? "mine.by.signed-in" : "mine.by.resumed", { name }];
  return agent.pause_reason ? ["mine.by.paused-for", { name, reason: agent.pause_reason }] : ["mine.by.paused", { name }];
}

/** A message in the language of the page. */
const textOf = (message, phrase, how) => (how ? t(...how) : inWords(message.text, phrase));

effect(() => {
  const agent = agents.value.get(session.value?.agent);
  const last = agent?.messages.at(-1);
  if (!agent) { seen = null; return; }
  if (seen !== null && last && last.at > seen) {
    const how = told(agent, last);
    if (how) known.value = new Map([...known.peek(), [last.at, how]].slice(-MOST));
    said.value = { text: textOf(last, agent.messages_phrases.at(-1), how), bad: false };
  }
  seen = last?.at ?? "";
});

export function News({ agent }) {
  const lines = agent.messages.map((item, n) => ({ ...item, phrase: agent.messages_phrases[n] })).reverse().slice(0, MOST);
  return html`<section class="card news" aria-label=${t("messages")}><h2>${t("messages")}</h2>
    ${lines.length === 0 ? html`<p class="hint">${t("mine.no-news")}</p>` : html`<ul class="plain">
      ${lines.map((item) => html`<li key=${item.at + item.text}><small><bdi>${clockTime(item.at)}</bdi></small> <bdi class="text">${textOf(item, item.phrase, known.value.get(item.at))}</bdi></li>`)}</ul>`}
  </section>`;
}
