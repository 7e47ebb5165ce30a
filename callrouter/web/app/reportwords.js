// How figures read: titles and definitions in the language of the person, numbers, times of the site's zone.

import { signal } from "../vendor/preact.js";
import { agentName, queueName } from "./names.js";
import { count, duration, language, LANGUAGES, t, wordFor } from "./words.js";

/** Titles and definitions of columns in this language; the daemon says them in English. */
const figures = signal({});
let loaded = "en";

/** Load the words for figures in the language that is spoken. */
export async function loadFigures(name) {
  if (loaded === name) return;
  loaded = name;
  figures.value = name === "en" ? {} : await (await fetch(`/page/lang/figures/${name}.json`)).json();
}

const locale = () => LANGUAGES[language.value].locale;
const own = (kind, what, column) => figures.value[kind]?.[`${what}.${column.name}`] ?? figures.value[kind]?.[column.name];
export const titleOf = (what, column) => own("titles", what, column) ?? column.title;
export const meaningOf = (what, column) => (own("meanings", what, column) ?? column.meaning).replaceAll("`", "");
export const unitOf = (column) => wordFor(`reports.unit.${column.counts_in}`, column.counts_in);

const formats = new Map();
function zoned(zone, options) {
  const key = `${locale()} ${zone} ${JSON.stringify(options)}`;
  if (!formats.has(key)) {
    let made;
    try { made = new Intl.DateTimeFormat(locale(), { ...options, timeZone: zone }); } catch { made = new Intl.DateTimeFormat(locale(), options); }
    formats.set(key, made);
  }
  return formats.get(key);
}

/** With an hour more, where the clocks go back. */
const DAY_MS = 25 * 3_600_000;
const DAYS = { year: "numeric", month: "short", day: "numeric" };
const CLOCK = { hour: "2-digit", minute: "2-digit" };
/** A moment of the site's zone. */
export const shownMoment = (at, zone, exact = true) => zoned(zone, { ...DAYS, ...CLOCK, ...(exact ? { second: "2-digit" } : {}) }).format(new Date(at));
const ofOneDay = (found) => Date.parse(found.to) - Date.parse(found.from) <= DAY_MS;
/** A moment of a report: of a report of one day, its time of day. */
function shownTime(at, found) {
  const moment = Date.parse(at);
  const within = ofOneDay(found) && moment >= Date.parse(found.from) && moment < Date.parse(found.to);
  return within ? zoned(found.timezone, { ...CLOCK, second: "2-digit" }).format(moment) : shownMoment(at, found.timezone);
}
/** The beginning of an interval: its date, and its time of day if it is shorter than a day. */
export function shownInterval(at, found) {
  const short = !["1d", "1w", "1mo"].includes(found.by);
  const oneDay = short && ofOneDay(found);
  return zoned(found.timezone, { ...(oneDay ? {} : { weekday: "short", month: "short", day: "numeric" }), ...(short ? CLOCK : {}) }).format(new Date(at));
}
/** The period of a report. */
export function shownPeriod(found) {
  const last = new Date(Date.parse(found.to) - 1);
  return zoned(found.timezone, { ...DAYS, ...CLOCK }).formatRange(new Date(found.from), last);
}

const number = (value, digits) => new Intl.NumberFormat(locale(), { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
const OUTCOMES = ["outcome", "result", "ended_by", "left_by"];

/** A value as people read it; a dash where there is no figure. */
export function shown(value, column, found) {
  if (value === null || value === undefined) return "–";
  switch (column.shown) {
    case "count": return typeof value === "number" ? count(value) : String(value);
    case "number": return number(value, 1);
    case "duration": return duration(typeof value === "number" ? Math.round(value) : value);
    case "share": return new Intl.NumberFormat(locale(), { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(value / 100);
    case "time": return shownTime(value, found);
    case "interval": return shownInterval(value, found);
    case "flag": return t(value ? "reports.yes" : "reports.no");
    default:
      if (OUTCOMES.includes(column.name)) return wordFor(`reports.word.${value}`, value);
      return ["queue", "last_queue"].includes(column.name) ? queueName(value) : ["agent", "called_back_by"].includes(column.name) ? agentName(value) : value;
  }
}
