// What report is shown: the address behind # says it all, so it can be sent; and the request it stands for.

import { Refusal, session } from "./api.js";
import { address, goTo, route, view } from "./routes.js";
import { language } from "./words.js";

/** The reports, with the choices that each has. */
export const REPORTS = {
  queues: { by: true, queue: true, png: true },
  hours: { by: true, queue: true, png: true },
  agents: { by: true, queue: true, agent: true, png: true },
  calls: { queue: true, agent: true },
  abandoned: { queue: true },
  pauses: { by: true, agent: true },
  fairness: { queue: true, agent: true },
};
export const PERIODS = ["today", "yesterday", "this week", "last week", "this month", "last month"];
export const LENGTHS = ["15m", "30m", "1h", "1d", "1w", "1mo"];
const ASKED = ["period", "by", "queue", "agent", "call", "figure"];

/** What the address asks for: `#reports/queues?period=last+week&by=1d&sort=-entered`. */
export function asked() {
  const { id, query } = route.value;
  const own = session.value?.role === "agent" ? "agents" : "queues";
  return { ...query, what: REPORTS[id] || id === "call" ? id : own };
}

/** The address of a report. Choices that the report does not have are left out. */
export function addressOf({ what, ...rest }) {
  const has = REPORTS[what] ?? { call: true };
  const kept = Object.entries(rest).filter(([name]) => (!["by", "queue", "agent", "call"].includes(name) || has[name]) && (name !== "figure" || what === "calls"));
  return address("reports", what, Object.fromEntries(kept));
}

/** The address of a call's story: the view of staff, or for agents the report on their own call. */
export const storyOf = (call) => (session.value.role === "agent" ? addressOf({ what: "call", call }) : address("call", call));

/** Go to a report. `quietly`: it is the same one, shown another way, so the way back does not stop here. */
export function go(state, quietly = false) {
  const address = addressOf(state);
  if (address === location.hash) return;
  if (quietly) { history.replaceState(null, "", address); view.value = address.slice(1); } else goTo(address);
}

/** The path at which the daemon has a report, as JSON or as a file. */
export function pathOf(state, format = "") {
  const query = new URLSearchParams(ASKED.filter((name) => state[name]).map((name) => [name, state[name]]));
  if (format) query.set("format", format);
  return `/api/reports/${state.what}?${query}`;
}

/** Ask for a report. `told` hears which share of it is done; aborting `signal` gives it up, here and in the
 * daemon. Throws `Refusal`, or TypeError if the daemon cannot be reached. */
export async function report(state, told, signal) {
  const answer = await fetch(pathOf(state), { signal, credentials: "same-origin", redirect: "error", headers: { Accept: "application/x-ndjson, application/json", "Accept-Language": language.value } });
  if (!answer.ok) throw refused(answer.status, await answer.json().catch(() => ({})));
  if (!(answer.headers.get("Content-Type") ?? "").includes("ndjson")) return answer.json();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
    const lines = text.split("\n");
    text = lines.pop();
    for (const line of lines) {
      const said = JSON.parse(line);
      if (said.problem) throw refused(said.problem.status, said.problem);
      if (said.progress === undefined) return said;
      told(said.progress);
    }
  }
  throw new TypeError("the answer ended too early");
}

function refused(status, problem) {
  const refusal = new Refusal(status, problem);
  if (refusal.kind === "no-session") session.value = null;
  return refusal;
}

/** Have the browser keep a report as a file. Throws `Refusal` if the daemon cannot make it. */
export async function download(state, format) {
  const answer = await fetch(pathOf(state, format), { credentials: "same-origin", redirect: "error", headers: { "Accept-Language": language.value } });
  if (!answer.ok) throw refused(answer.status, await answer.json().catch(() => ({})));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = `${state.what}.${format}`;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** The value of a column in a row, wherever it stands there: `wait_s.mean` is `row.wait_s.mean`. */
export function valueOf(row, name) {
  const dot = name.indexOf(".");
  return (dot < 0 ? row[name] : row[name.slice(0, dot)]?.[name.slice(dot + 1)]) ?? null;
}

/** When the interval of a row begins and ends, as a period for the daemon. */
export function periodOf(found, row) {
  if (!found.by || !row?.interval) return `${found.from}..${found.to}`;
  const starts = found.edges;
  const place = starts.indexOf(row.interval);
  return `${row.interval}..${starts[place + 1] ?? found.to}`;
}
