// Words, numbers and durations in the language of the person who looks.

import { signal } from "../vendor/preact.js";

/** Languages with their own names, locale for numbers, and direction. */
export const LANGUAGES = {
  en: { name: "English", locale: "en-GB", dir: "ltr" },
  ar: { name: "العربية", locale: "ar-EG-u-nu-arab", dir: "rtl" },
  zh: { name: "中文", locale: "zh-CN", dir: "ltr" },
};
const KEPT = "callrouter-language";

export const language = signal("en");
const words = signal({});
/** The daemon's sentences in this language by their codes; English ones come as they are. */
export const sentences = signal({});

/** Load a catalogue and switch to it, without a reload of the page. */
export async function speak(wanted) {
  const name = LANGUAGES[wanted] ? wanted : "en";
  const catalogue = async (path) => (await fetch(`/page/lang/${path}.json`)).json();
  const [found, spoken] = await Promise.all([catalogue(name), name === "en" ? {} : catalogue(`says/${name}`)]);
  words.value = found;
  sentences.value = spoken;
  language.value = name;
  document.documentElement.lang = name;
  document.documentElement.dir = LANGUAGES[name].dir;
  keep(KEPT, name);
}

/** The language that was chosen before, or the browser's. */
export const preferred = () => kept(KEPT) ?? navigator.languages.map((item) => item.slice(0, 2)).find((item) => LANGUAGES[item]) ?? "en";

/** The text of a key, with its variables filled in. A text with plural forms is an object, by the
 * categories of Intl.PluralRules, and takes its form by `count`. */
export function t(key, variables = {}) {
  return filled(words.value[key] ?? key, variables, variables.count);
}

/** A text with its variables filled in, in the form of `number` if it has plural forms. */
export function filled(forms, variables, number) {
  const text = typeof forms === "object" ? forms[intl("plural").select(number)] ?? forms.other : forms;
  return text.replace(/\{(\w+)\}/g, (_, name) => (typeof variables[name] === "number" ? count(variables[name]) : variables[name] ?? ""));
}

/** The text of a key; `other` if no catalogue has it, as for a word that a later version has brought. */
export const wordFor = (key, other) => (words.value[key] === undefined ? other : t(key));

const FORMATS = {
  plural: (locale) => new Intl.PluralRules(locale),
  count: (locale) => new Intl.NumberFormat(locale),
  two: (locale) => new Intl.NumberFormat(locale, { minimumIntegerDigits: 2, useGrouping: false }),
  second: (locale) => unit(locale, "second"),
  minute: (locale) => unit(locale, "minute"),
  hour: (locale) => unit(locale, "hour"),
  either: (locale) => new Intl.ListFormat(locale, { type: "disjunction" }),
  together: (locale) => new Intl.ListFormat(locale, { type: "conjunction" }),
  units: (locale) => new Intl.ListFormat(locale, { type: "unit", style: "long" }),
  share: (locale) => new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 }),
  clock: (locale) => new Intl.DateTimeFormat(locale, { timeStyle: "short" }),
  moment: (locale) => new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }),
  day: (locale) => new Intl.DateTimeFormat(locale, { dateStyle: "short", timeStyle: "short" }),
  exact: (locale) => new Intl.DateTimeFormat(locale, { dateStyle: "short", timeStyle: "medium" }),
};
const unit = (locale, name) => new Intl.NumberFormat(locale, { style: "unit", unit: name, unitDisplay: locale.startsWith("zh") ? "short" : "long" });
const made = new Map();

/** A formatter of Intl for the language. Each is made once: to make one costs as much as a hundred uses. */
function intl(name) {
  const key = `${language.value} ${name}`;
  if (!made.has(key)) made.set(key, FORMATS[name](LANGUAGES[language.value].locale));
  return made.get(key);
}

export const count = (value) => intl("count").format(value);

export const share = (value) => (value === null || value === undefined || Number.isNaN(value) ? "–" : intl("share").format(value));

/** A duration as minutes and seconds, or hours and minutes: 0:07, 12:40, 1:02:03. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.floor(seconds);
  const two = intl("two");
  const parts = [Math.floor((whole % 3600) / 60), whole % 60];
  if (whole >= 3600) return [count(Math.floor(whole / 3600)), ...parts.map((part) => two.format(part))].join(":");
  return `${count(parts[0])}:${two.format(parts[1])}`;
}

/** Alternatives: a, b or c. */
export const either = (names) => intl("either").format(names);

/** Names that count together: a, b and c. */
export const together = (names) => intl("together").format(names);

/** A duration inside a sentence, rounded down: 0.4 seconds, 12 minutes and 40 seconds. All its units if `exact`, otherwise two. */
export function span(seconds, exact = false) {
  if (seconds > 0 && seconds < 0.95) return intl("second").format(Math.round(seconds * 10) / 10);
  const whole = Math.max(0, Math.floor(seconds + 0.01));
  const parts = [["hour", Math.floor(whole / 3600)], ["minute", Math.floor((whole % 3600) / 60)], ["second", whole % 60]].filter(([, value]) => value);
  if (!parts.length) return intl("second").format(0);
  const shown = !exact && whole >= 3600 ? parts.filter(([name]) => name !== "second") : parts;
  return intl("units").format(shown.map(([name, value]) => intl(name).format(value)));
}

export const clockTime = (moment) => intl("clock").format(new Date(moment));

/** A moment of any day: its date and time. */
export const moment = (at) => intl("moment").format(new Date(typeof at === "number" ? at * 1000 : at));
/** A moment as a short date and a time, with seconds if wanted. */
export const dayAndTime = (moment, exact = false) => intl(exact ? "exact" : "day").format(new Date(moment));
/** A moment as date and time to the second; `style` chooses other parts, as Intl has them. */
export const when = (moment, style = { dateStyle: "medium", timeStyle: "medium" }) => new Intl.DateTimeFormat(LANGUAGES[language.value].locale, style).format(new Date(moment));

export function keep(name, value) {
  try { localStorage.setItem(name, value); } catch { /* a private window keeps nothing */ }
}
export function kept(name) {
  try { return localStorage.getItem(name); } catch { return null; }
}

/** A phone number inside a sentence, which reads from left to right in every language. */
export const leftToRight = (text) => `\u2066${text}\u2069`;
