// The page of those who are not logged in.

import { html, useState } from "../vendor/preact.js";
import { logIn, ways } from "./api.js";
import { Languages } from "./frame.js";
import { t, wordFor } from "./words.js";

const FAILED = "#log-in-failed/";

/** Why a log-in through the provider failed, from the address that it led back to; the address forgets it. */
function failure() {
  if (!location.hash.startsWith(FAILED)) return "";
  const kind = location.hash.slice(FAILED.length);
  history.replaceState(null, "", "/");
  return wordFor(`oidc.error.${kind}`, t("oidc.error.provider"));
}

export function LogIn() {
  const [problem, setProblem] = useState(failure);
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
    ${ways.value.oidc && html`<a class="button" href="/api/oidc/log-in">${t("oidc.log-in", { name: ways.value.oidc.name })}</a>`}
    <${Languages} />
  </form></main>`;
}
