// The page of those who are not logged in.

import { html, useState } from "../vendor/preact.js";
import { logIn } from "./api.js";
import { Languages } from "./frame.js";
import { t } from "./words.js";

export function LogIn() {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const send = async (event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setProblem("");
    try {
      if (!(await logIn(form.get("user"), form.get("password")))) setProblem(t("needs-https"));
    } catch (error) {
      const known = { "wrong-login": t("wrong-login"), locked: t("locked") }[error.kind];
      setProblem(known ?? (error instanceof TypeError ? t("unreachable") : error.message));
    }
    setBusy(false);
  };
  return html`<main class="login"><form class="card" onSubmit=${send}>
    <h1>callrouter</h1>
    <label>${t("user")}<input name="user" required autocomplete="username" autocapitalize="none" spellcheck=${false} autofocus /></label>
    <label>${t("password")}<input name="password" type="password" required autocomplete="current-password" /></label>
    <p class="problem" role="alert">${problem}</p>
    <button class="main" disabled=${busy}>${t("log-in")}</button>
    <${Languages} />
  </form></main>`;
}
