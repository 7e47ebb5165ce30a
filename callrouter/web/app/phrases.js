// What the daemon says, in the language of the page: its sentences come with codes and values.

import { duration, language, t, wordFor } from "./words.js";

/** A sentence of the daemon; `phrase` is its code with values. Without words for the code it stays as it is. */
function said(line, phrase) {
  if (language.value === "en" || !phrase?.code) return line;
  const { by, reason, left_s: left } = phrase.values;
  const code = `${phrase.code}${by ? "-by" : ""}`;
  if (!wordFor(`reason.${code}`, "")) return line;
  return `${t(`reason.${code}`, { ...phrase.values, left: duration(left) })}${reason ? `: ${reason}` : ""}`;
}

/** Sentences with their phrases, in the same order. */
export const phrased = (lines, phrases = []) => lines.map((line, n) => said(line, phrases[n]));

/** Why a request was refused, by its kind; other kinds are told by the daemon's own sentence. */
export const refusalText = (kind, sentence) => (language.value === "en" && sentence ? sentence : wordFor(`refusal.${kind}`, sentence));
