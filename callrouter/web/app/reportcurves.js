// Curves of a report: arrivals, waits and service level by interval, and what agents did with their time.

import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { STATES } from "./parts.js";
import { valueOf } from "./reportstate.js";
import { shown, shownInterval, titleOf } from "./reportwords.js";
import { language, LANGUAGES, share, t } from "./words.js";

const HIGH = 240;
const MOST_BARS = 60;
/** Steps of an axis of durations, in seconds. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 432000, 864000];
const DASHES = [[], [7, 4], [2, 3]];
/** The curves of a report by interval: the figures of each, which are drawn in one plot. */
const PLOTS = [
  { id: "calls", figures: ["entered", "answered", "abandoned"], kind: "count" },
  { id: "waits", figures: ["wait_s.mean", "wait_s.p90"], kind: "duration" },
  { id: "level", figures: ["service_level.strict", "service_level.target"], kind: "share" },
];
/** States in which an agent is there; offline is none. */
const THERE = STATES.filter((state) => state !== "offline");

export const hasCurves = (found) => found.rows.length > 0 && ["hours", "agents"].includes(found.what);

/** Changes when the colours of the page do, so that what is drawn on a canvas is drawn again. */
function useColours() {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const again = () => setTurn((number) => number + 1);
    const watcher = new MutationObserver(again);
    watcher.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", again);
    return () => { watcher.disconnect(); system.removeEventListener("change", again); };
  }, []);
  return turn;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Load the plotter with its style sheet, when the first plot is drawn. */
async function plotter() {
  const href = "/page/vendor/uplot.css";
  if (!document.querySelector(`link[href="${href}"]`)) {
    const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
    document.head.append(sheet);
  }
  return (await import("../vendor/uplot.js")).default;
}

/** What a plot shows, as a table beside it. */
function AsTable({ found, columns, rows, label, first }) {
  return html`<details class="as-table"><summary>${t("reports.as-table")}</summary>
    <div class="scroll" tabindex="0" role="region" aria-label=${label}><table class="report"><thead><tr><th scope="col">${first}</th>
      ${columns.map((column) => html`<th scope="col" class="figure" key=${column.name}>${titleOf(found.what, column)}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${row.key}><th scope="row"><bdi>${row.name}</bdi></th>
        ${columns.map((column) => html`<td class="figure" key=${column.name}><bdi>${shown(row.of(column), column, found)}</bdi></td>`)}</tr>`)}</tbody></table></div></details>`;
}

/** One plot over time. `lines` are `{ label, values, fill, stroke, dash, column }`, `stacked` ones the topmost first. */
function Plot({ found, starts, lines, label, kind, stacked = false }) {
  const place = useRef(null);
  const colours = useColours();
  useEffect(() => {
    let plot = null;
    let over = false;
    const resize = new ResizeObserver(() => { if (plot && place.current) plot.setSize({ width: place.current.clientWidth, height: HIGH }); });
    plotter().then((Plotter) => {
      if (over) return;
      const ink = colour("soft");
      const axis = { stroke: ink, grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line") }, font: "12px system-ui, sans-serif" };
      const say = (value, column) => (value === null || value === undefined ? "–" : shown(value, column, found));
      const unit = { shown: kind };
      const times = starts.map((at) => Date.parse(at) / 1000);
      const options = {
        width: place.current.clientWidth, height: HIGH, tzDate: (at) => Plotter.tzDate(new Date(at * 1000), found.timezone),
        scales: { x: starts.length > 1 ? {} : { range: () => [Date.parse(found.from) / 1000, Date.parse(found.to) / 1000] }, y: { range: (_, low, high) => (kind === "share" ? [0, 100] : [0, Math.max(high, 1) * 1.05]) } },
        axes: [
          { ...axis, space: 70, values: (_, marks) => marks.map((at) => new Intl.DateTimeFormat(LANGUAGES[language.value].locale, { timeZone: found.timezone,
            ...(marks.length > 1 && marks[1] - marks[0] < 86400 ? { hour: "2-digit", minute: "2-digit" } : { month: "short", day: "numeric" }) }).format(new Date(at * 1000))) },
          { ...axis, size: kind === "duration" ? 70 : 50, incrs: kind === "duration" ? STEPS : undefined, values: (_, marks) => marks.map((mark) => (kind === "share" ? share(mark / 100) : shown(mark, unit, found))) },
        ],
        series: [
          { label: t("reports.interval"), value: (_, at) => (at === null || at === undefined ? "–" : shownInterval(at * 1000, found)) },
          ...lines.map((line) => ({
            label: line.label, stroke: colour(line.stroke), width: 2, dash: line.dash, fill: line.fill && colour(line.fill),
            paths: stacked ? Plotter.paths.bars({ size: [0.9, 60], align: 1 }) : undefined, points: { show: !stacked && starts.length < 60, size: 6, fill: colour("card") },
            value: (_, value, __, at) => say(at === null ? null : line.values[at], line.column),
          })),
        ],
      };
      plot = new Plotter(options, [times, ...lines.map((line) => line.drawn ?? line.values)], place.current);
      // Time runs from left to right in every language, and so does the plot; its words run as the page does.
      place.current.querySelector(".u-legend").dir = LANGUAGES[language.value].dir;
      resize.observe(place.current);
    }).catch(() => { if (place.current) place.current.textContent = t("unreachable"); });
    return () => { over = true; resize.disconnect(); plot?.destroy(); };
  }, [found, colours, language.value]);
  return html`<div class="plot" dir="ltr" role="img" aria-label=${label} ref=${place}></div>`;
}

function OverTime({ found, plot }) {
  const columns = plot.figures.map((name) => found.columns.find((column) => column.name === name))
    .filter((column) => column && found.rows.some((row) => valueOf(row, column.name) !== null));
  if (columns.length === 0) return null;
  const label = t(`reports.plot.${plot.id}`);
  const lines = columns.map((column, place) => ({
    label: titleOf(found.what, column), values: found.rows.map((row) => valueOf(row, column.name)), column, stroke: `curve-${place + 1}`, dash: DASHES[place],
  }));
  const rows = found.rows.map((row) => ({ key: row.interval, name: shownInterval(row.interval, found), of: (column) => valueOf(row, column.name) }));
  return html`<figure class="card"><figcaption><h2>${label}</h2></figcaption>
    <${Plot} found=${found} starts=${found.rows.map((row) => row.interval)} lines=${lines} label=${label} kind=${plot.kind} />
    <${AsTable} found=${found} columns=${columns} rows=${rows} label=${label} first=${t("reports.interval")} /></figure>`;
}

const ofState = (row, state) => valueOf(row, `state_s.${state}`) ?? 0;

/** Agents' time by state in each interval, all agents of the report together, as bars one on the other. */
function StatesOverTime({ found, columns, label }) {
  const sums = new Map(found.edges.map((at) => [at, Object.fromEntries(THERE.map((state) => [state, 0]))]));
  for (const row of found.rows) for (const state of THERE) sums.get(row.interval)[state] += ofState(row, state);
  const starts = [...sums.keys()];
  // What is drawn first is the sum of all; each further bar hides a part of it and leaves that of its state.
  const lines = THERE.map((state, place) => ({
    label: t(`state.${state}`), values: starts.map((at) => sums.get(at)[state]), column: columns[place], stroke: `state-${state}`, fill: `state-${state}`, dash: [],
    drawn: starts.map((at) => THERE.slice(place).reduce((sum, other) => sum + sums.get(at)[other], 0) || null),
  }));
  const rows = starts.map((at) => ({ key: at, name: shownInterval(at, found), of: (column) => sums.get(at)[column.name.slice(8)] }));
  return html`<${Plot} found=${found} starts=${starts} lines=${lines} label=${label} kind="duration" stacked />
    <${AsTable} found=${found} columns=${columns} rows=${rows} label=${label} first=${t("reports.interval")} />`;
}

/** A bar for each agent. Widths are set by script: the page allows no styles in its text. */
function StatesByAgent({ found, columns, label }) {
  const all = found.rows.map((row) => ({ row, key: row.agent, name: row.name, sum: THERE.reduce((sum, state) => sum + ofState(row, state), 0), of: (column) => valueOf(row, column.name) }));
  const rows = all.filter((item) => item.sum > 0).sort((one, two) => two.sum - one.sum);
  const longest = rows[0]?.sum ?? 0;
  if (!longest) return html`<p class="none">${t("reports.nothing")}</p>`;
  return html`<ul class="plain keys" aria-hidden="true">${THERE.map((state) => html`<li key=${state}><span class=${`key state-${state}`}></span> ${t(`state.${state}`)}</li>`)}</ul>
    <div class="bars" role="img" aria-label=${label}>${rows.slice(0, MOST_BARS).map((item) => html`<div class="bar-row" key=${item.key}><span class="name"><bdi>${item.name}</bdi></span>
      <span class="whole-bar">${THERE.map((state, place) => ofState(item.row, state) > 0 && html`<span key=${state} class=${`part state-${state}`} title=${`${t(`state.${state}`)}: ${shown(ofState(item.row, state), columns[place], found)}`}
        ref=${(node) => { if (node) node.style.inlineSize = `${(100 * ofState(item.row, state)) / longest}%`; }}></span>`)}</span></div>`)}</div>
    ${rows.length > MOST_BARS && html`<p class="more">${t("more", { count: rows.length - MOST_BARS })}</p>`}
    <${AsTable} found=${found} columns=${columns} rows=${rows} label=${label} first=${t("agent")} />`;
}

function States({ found }) {
  const label = t("reports.plot.states");
  const columns = THERE.map((state) => found.columns.find((column) => column.name === `state_s.${state}`));
  const Shown = found.by ? StatesOverTime : StatesByAgent;
  return html`<figure class="card"><figcaption><h2>${label}</h2></figcaption><${Shown} found=${found} columns=${columns} label=${label} /></figure>`;
}

export function Curves({ found }) {
  if (found.what === "agents") return html`<${States} found=${found} />`;
  return html`<div class="curves">${PLOTS.map((plot) => html`<${OverTime} key=${plot.id} found=${found} plot=${plot} />`)}</div>`;
}
