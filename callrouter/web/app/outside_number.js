// A field for a number outside to which a caller is passed on, with how the numbers begin that are allowed.

import { html, useState } from "../vendor/preact.js";
import { t } from "./words.js";

/** `send` gets the number as typed, and answers with what was wrong with it, or "". The daemon alone judges it. */
export function OutsideNumber({ allowed, send }) {
  const [number, setNumber] = useState("");
  const [problem, setProblem] = useState("");
  const submit = async (event) => { event.preventDefault(); setProblem(await send(number)); };
  return html`<form class="outside" onSubmit=${submit}>
    <label>${t("outside.number")}
      <input type="tel" dir="ltr" autocomplete="off" required maxlength="40" value=${number} aria-describedby="outside-allowed" onInput=${(event) => setNumber(event.currentTarget.value)} /></label>
    <button>${t("transfer")}</button>
    <p class="hint" id="outside-allowed">${t("outside.allowed")} ${allowed.map((begin, n) => html`${n ? " · " : ""}<bdi key=${begin} dir="ltr" class="number">${begin}…</bdi>`)}</p>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
  </form>`;
}
