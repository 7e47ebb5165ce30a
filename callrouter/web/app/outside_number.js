// A field for a number outside to which a caller is passed on, with how the numbers begin that are allowed.

import { html, useState } from "../vendor/preact.js";
import { ask } from "./api.js";
import { t } from "./words.js";

/** Transfers a call at `path` to the number as typed, which the daemon alone judges. Nothing if no number is allowed. */
export function OutsideNumber({ allowed, path, call, onDone }) {
  const [number, setNumber] = useState("");
  const [problem, setProblem] = useState("");
  const submit = (event) => {
    event.preventDefault();
    return ask("POST", path, { call, number }).then(() => onDone(), (error) => setProblem(error.message));
  };
  return allowed.length > 0 && html`<h3>${t("outside.title")}</h3><form class="outside" onSubmit=${submit}>
    <label>${t("outside.number")}
      <input type="tel" dir="ltr" autocomplete="off" required maxlength="40" value=${number} aria-describedby="outside-allowed" onInput=${(event) => setNumber(event.currentTarget.value)} /></label>
    <button>${t("transfer")}</button>
    <p class="hint" id="outside-allowed">${t("outside.allowed")} ${allowed.map((begin, n) => html`${n ? " · " : ""}<bdi key=${begin} dir="ltr" class="number">${begin}…</bdi>`)}</p>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
  </form>`;
}
