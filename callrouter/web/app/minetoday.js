// An agent's own figures of today, from the record: looked up again after each call, and every minute.

import { html, useEffect, useState } from "../vendor/preact.js";
import { ask } from "./api.js";
import { Time } from "./parts.js";
import { count, share, t } from "./words.js";

const EVERY = 60000;
const WRITTEN = 3000; // milliseconds until the end of a call has reached the record

/** A cell of a report: `talk_s.total` lies within `talk_s`. */
const cell = (row, name) => name.split(".").reduce((part, key) => part?.[key], row) ?? null;

export function Today({ agent }) {
  const [row, setRow] = useState(null);
  const [pauses, setPauses] = useState(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    const look = async () => {
      try {
        const query = `?period=today&agent=${encodeURIComponent(agent.id)}`;
        const [work, breaks] = [await ask("GET", `/api/reports/agents${query}`), await ask("GET", `/api/reports/pauses${query}`)];
        setRow(work.rows[0] ?? {});
        setPauses(breaks.rows);
        setProblem("");
      } catch (error) { setProblem(error instanceof TypeError ? t("unreachable") : error.message); }
    };
    const soon = setTimeout(look, row ? WRITTEN : 0);
    const timer = setInterval(look, EVERY);
    return () => { clearTimeout(soon); clearInterval(timer); };
  }, [agent.id, agent.calls_today, agent.signed_in, agent.pause_reason === null]);
  const figures = [
    ["answered", count(cell(row, "answered") ?? agent.calls_today)],
    ["missed", count(cell(row, "missed") ?? 0)],
    ["rate", share(cell(row, "answered_share") === null ? null : cell(row, "answered_share") / 100)],
    ["talk", html`<${Time} s=${cell(row, "talk_s.total")} />`],
    ["mean-talk", html`<${Time} s=${cell(row, "talk_s.mean")} />`],
    ["idle", html`<${Time} s=${cell(row, "state_s.available")} />`],
    ["wrap-up", html`<${Time} s=${cell(row, "wrap_up_s.total")} />`],
    ["pauses", count((pauses ?? []).reduce((sum, item) => sum + item.pauses, 0))],
    ["paused", html`<${Time} s=${cell(row, "state_s.paused")} />`],
    ["signed-in", html`<${Time} s=${cell(row, "signed_in_s")} />`],
  ];
  return html`<section class="card today" aria-label=${t("mine.today")}><h2>${t("mine.today")}</h2>
    <dl class="figures">${figures.map(([name, value]) => html`<div key=${name}><dt>${t(`mine.today.${name}`)}</dt><dd>${value}</dd></div>`)}</dl>
    ${problem && html`<p class="hint">${t("mine.no-figures")} <bdi>${problem}</bdi></p>`}
  </section>`;
}
