// Ended calls on record: a search whose address can be sent on, page by page, each leading to its story.

import { html, useEffect, useState } from "../vendor/preact.js";
import { wordsOf } from "./acts.js";
import { useAnswers } from "./answers.js";
import { ask } from "./api.js";
import { Num } from "./parts.js";
import { AgentMenu, agentName, QueueMenu, queueName } from "./names.js";
import { address, goTo, route } from "./routes.js";
import { duration, t, when } from "./words.js";

const FIELDS = ["number", "queue", "agent", "outcome", "from", "to"];
const OUTCOMES = ["answered", "abandoned", "left", "moved-away", "lost"];
const PAGE = 50;
const DAY_MS = 86_400_000;

const localDay = (at) => { const two = (n) => String(n).padStart(2, "0"); return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T00:00`; };

/** What is asked of the daemon: only what is known here, and no empty value. */
const queryOf = (values, cursor) => new URLSearchParams([
  ...FIELDS.filter((name) => values[name]).map((name) => [name, values[name]]), ["limit", String(PAGE)], ...(cursor ? [["cursor", cursor]] : []),
]).toString();

function Search({ values }) {
  const [form, setForm] = useState(values);
  useEffect(() => setForm(values), [JSON.stringify(values)]);
  const set = (name) => (value) => setForm({ ...form, [name]: value });
  const go = (wanted) => { goTo(address("records", "", wanted)); };
  const since = (days) => go({ ...form, from: localDay(new Date(Date.now() - days * DAY_MS)), to: "" });
  return html`<form class="card search-form" aria-label=${t("records.search")} onSubmit=${(event) => { event.preventDefault(); go(form); }}>
    <label>${t("records.number")}<input type="tel" dir="ltr" value=${form.number ?? ""} onInput=${(event) => set("number")(event.currentTarget.value)} /></label>
    <${QueueMenu} label=${t("queue")} none=${t("floor.all-queues")} value=${form.queue ?? ""} onChange=${set("queue")} />
    <${AgentMenu} label=${t("agent")} none=${t("records.all-agents")} value=${form.agent ?? ""} onChange=${set("agent")} />
    <label>${t("records.outcome")}<select value=${form.outcome ?? ""} onChange=${(event) => set("outcome")(event.currentTarget.value)}>
      <option value="">${t("records.any")}</option>${OUTCOMES.map((item) => html`<option key=${item} value=${item}>${t(`records.outcome.${item}`)}</option>`)}</select></label>
    <label>${t("records.from")}<input type="datetime-local" value=${form.from ?? ""} onInput=${(event) => set("from")(event.currentTarget.value)} /></label>
    <label>${t("records.to")}<input type="datetime-local" value=${form.to ?? ""} onInput=${(event) => set("to")(event.currentTarget.value)} /></label>
    <p class="buttons"><button class="main">${t("search")}</button>
      <button type="button" onClick=${() => since(0)}>${t("records.today")}</button>
      <button type="button" onClick=${() => since(7)}>${t("records.week")}</button>
      <button type="button" onClick=${() => go({})}>${t("records.clear")}</button></p></form>`;
}

function Row({ call }) {
  return html`<tr><td class="who"><a href=${address("call", call.id)}><${Num} of=${call.caller_number} name=${call.caller_name} /></a></td>
    <td>${when(call.entered_at, { dateStyle: "short", timeStyle: "medium" })}</td>
    <td><bdi>${queueName(call.queue)}</bdi>${call.last_queue !== call.queue ? html` → <bdi>${queueName(call.last_queue)}</bdi>` : ""}</td>
    <td><bdi>${call.agent ? agentName(call.agent) : "–"}</bdi></td>
    <td class=${`outcome ${call.outcome}`}>${t(`records.outcome.${call.outcome}`)}${call.result && call.result !== call.outcome ? html` <small><bdi>${call.result}</bdi></small>` : ""}</td>
    <td data-title=${t("records.head.wait")}><bdi dir="ltr">${duration(call.wait_s)}</bdi></td><td data-title=${t("records.head.talk")}><bdi dir="ltr">${duration(call.talk_s)}</bdi></td></tr>`;
}

export function Records() {
  const values = Object.fromEntries(FIELDS.filter((name) => route.value.query[name]).map((name) => [name, route.value.query[name]]));
  const stamp = JSON.stringify(values);
  const [page, setPage] = useState({ calls: [], next: null });
  const [problem, setProblem] = useState("");
  const [asking, setAsking] = useState(false);
  const answers = useAnswers(stamp);
  const look = async (cursor, before) => {
    const counts = answers();
    setAsking(true);
    try {
      const found = await ask("GET", `/api/records/calls?${queryOf(values, cursor)}`);
      if (!counts()) return;
      setPage({ calls: [...before, ...found.calls], next: found.next });
      setProblem("");
    } catch (error) {
      if (!counts()) return;
      if (!before.length) setPage({ calls: [], next: null });
      setProblem(wordsOf(error));
    }
    setAsking(false);
  };
  useEffect(() => { look("", []); }, [stamp]);
  return html`<main class="one"><${Search} values=${values} />
    <section class="card" aria-label=${t("view.records")}>
      <div aria-live="polite">${problem && html`<p class="problem"><bdi>${problem}</bdi></p>`}
        ${asking && html`<p><span class="spinner" aria-hidden="true"></span> ${t("story.reading")}</p>`}
        ${!asking && !problem && page.calls.length === 0 && html`<p class="none">${t("records.none")}</p>`}</div>
      ${page.calls.length > 0 && html`<table class="rows records">
        <thead><tr>${["caller", "entered", "queue", "agent", "outcome", "wait", "talk"].map((key) => html`<th key=${key} scope="col">${t(`records.head.${key}`)}</th>`)}</tr></thead>
        <tbody>${page.calls.map((call) => html`<${Row} key=${call.id} call=${call} />`)}</tbody></table>`}
      ${page.next && html`<p class="buttons"><button type="button" aria-disabled=${asking} onClick=${() => !asking && look(page.next, page.calls)}>${t("records.older")}</button></p>`}
    </section></main>`;
}
