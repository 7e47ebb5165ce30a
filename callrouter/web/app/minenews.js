// What an agent is told: who changed their state and why, what the router did, lines that people wrote.

import { effect, html, signal } from "../vendor/preact.js";
import { session } from "./api.js";
import { agents } from "./live.js";
import { said } from "./parts.js";
import { clockTime, t } from "./words.js";

const MOST = 12;
/** Texts in the language of the page, by the time of the message: of messages that came while we looked. */
const known = signal(new Map());
let seen = null; // the time of the last message that was shown

/** What another person did to an agent, in the language of the page; null: the state does not tell. */
function told(agent, message) {
  if (!agent.by || agent.by === agent.id || agent.by_at !== message.at) return null;
  if (!agent.signed_in) return t("mine.by.signed-out", { name: agent.by });
  if (agent.pause_reason === null) return agent.signed_in_at === agent.by_at ? t("mine.by.signed-in", { name: agent.by }) : t("mine.by.resumed", { name: agent.by });
  return agent.pause_reason ? t("mine.by.paused-for", { name: agent.by, reason: agent.pause_reason }) : t("mine.by.paused", { name: agent.by });
}

effect(() => {
  const agent = agents.value.get(session.value?.agent);
  const last = agent?.messages.at(-1);
  if (!agent) { seen = null; return; }
  if (seen !== null && last && last.at > seen) {
    const text = told(agent, last) ?? last.text;
    known.value = new Map([...known.peek(), [last.at, text]].slice(-MOST));
    said.value = { text, bad: false };
  }
  seen = last?.at ?? "";
});

export function News({ agent }) {
  const lines = [...agent.messages].reverse().slice(0, MOST);
  return html`<section class="card news" aria-label=${t("messages")}><h2>${t("messages")}</h2>
    ${lines.length === 0 ? html`<p class="hint">${t("mine.no-news")}</p>` : html`<ul class="plain">
      ${lines.map((item) => html`<li key=${item.at + item.text}><small><bdi>${clockTime(item.at)}</bdi></small> <bdi class="text">${known.value.get(item.at) ?? item.text}</bdi></li>`)}</ul>`}
  </section>`;
}
