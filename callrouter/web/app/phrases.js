// What the daemon says, in the language of the page: its sentences come with codes and values.

import { count, either, filled, language, LANGUAGES, sentences, share, span, t, together, wordFor } from "./words.js";

/** A name inside a sentence that runs from right to left keeps its own direction. */
const isolated = (text) => (LANGUAGES[language.value].dir === "rtl" ? `\u2068${text}\u2069` : text);

const inARow = (name, items) => (name.endsWith("_or") ? either(items) : name.endsWith("_and") ? together(items) : items.join(t("board.and")));

/** A value of a sentence; the end of its name says what kind it is. */
function shown(name, value) {
  if (Array.isArray(value)) return inARow(name, value.map(isolated));
  if (typeof value === "object") return inWords(value.text, value);
  if (typeof value === "string") return isolated(value);
  if (name.endsWith("_share")) return share(value);
  return name.endsWith("_s") ? span(value, name.endsWith("_exact_s")) : count(value);
}

/** A sentence of the daemon; `phrase` is its code with values. Without words for the code it stays as it is. */
export function inWords(line, phrase) {
  const text = language.value === "en" ? undefined : sentences.value[phrase?.code];
  if (text === undefined) return line;
  const values = Object.entries(phrase.values).map(([name, value]) => [name, shown(name, value)]);
  const sentence = filled(text, Object.fromEntries(values), phrase.values.count);
  // It may begin with a name in Latin letters, and runs from right to left all the same.
  return LANGUAGES[language.value].dir === "rtl" ? `\u200f${sentence}` : sentence;
}

/** Sentences with their phrases, in the same order. */
export const phrased = (lines, phrases = []) => lines.map((line, n) => inWords(line, phrases[n]));

/** What is wrong in a text, and what would be right. */
export const messageOf = (mistake) => inWords(mistake.message, mistake.message_phrase);
export const hintOf = (mistake) => inWords(mistake.hint, mistake.hint_phrase);

/** Why a request was refused: by the code of its sentence, otherwise by its kind, otherwise as the daemon says it. */
export const refusalText = (kind, sentence, phrase) => (language.value === "en" && sentence ? sentence
  : sentences.value[phrase?.code] ? inWords(sentence, phrase) : wordFor(`refusal.${kind}`, sentence));
