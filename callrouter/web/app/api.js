// Requests to the daemon, with the session's cookie and the token that proves they come from this page.

import { signal } from "../vendor/preact.js";
import { refusalText } from "./phrases.js";
import { language } from "./words.js";

/** Who is logged in, as `GET /api/session` says; null: no one; undefined: not known yet. */
export const session = signal(undefined);

/** As what we look: `screen` as a wall screen, by the cookie of its link; empty: as a person. */
export const identity = signal("");

/** A refusal of the daemon. `message` is its sentence for people, `kind` its word for programs, `problem`
 * all that it says. */
export class Refusal extends Error {
  constructor(status, problem) {
    const kind = (problem.type || "").split(":").pop();
    super(refusalText(kind, problem.detail, problem.detail_phrase) || problem.title || String(status));
    this.status = status;
    this.problem = problem;
    this.kind = kind;
  }
}

/** Send a request. Returns the JSON of the answer, or null without one. Throws `Refusal` or, if the
 * daemon cannot be reached, TypeError. */
export async function ask(method, path, body) {
  const headers = { "Accept-Language": language.value };
  if (method !== "GET") {
    headers["Content-Type"] = "application/json";
    if (session.value?.csrf_token) headers["X-CSRF-Token"] = session.value.csrf_token;
  }
  const answer = await fetch(path, {
    method, headers, credentials: "same-origin", redirect: "error",
    body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
  });
  const found = answer.status === 204 ? null : await answer.json().catch(() => ({}));
  if (answer.ok) return found;
  const refusal = new Refusal(answer.status, found ?? {});
  if (refusal.kind === "no-session") session.value = null;
  throw refusal;
}

/** How people can log in besides by name and password, as `GET /api/log-in` says. */
export const ways = signal({ oidc: null });

/** Find out who is logged in. Asks first whether there is a session, since browsers report each refusal as an error. */
export async function whoAmI() {
  try {
    if (!identity.value) ways.value = await ask("GET", "/api/log-in");
    if (!identity.value && !ways.value.session) {
      session.value = null;
      return;
    }
    session.value = await ask("GET", identity.value ? `/api/session?as=${identity.value}` : "/api/session");
  } catch (error) {
    if (error.status !== 401) throw error; // a daemon that is away or busy has logged no one out
    session.value = null;
  }
}

/** Log in. Browsers keep the cookie only over HTTPS (or on localhost), so look whether it came back. */
export async function logIn(user, password) {
  await ask("POST", "/api/session", { user, password });
  await whoAmI();
  return session.value !== null;
}

export async function logOut() {
  await ask("DELETE", "/api/session");
  session.value = null;
}

/** Log out everywhere: end every other session of this person, then this one. */
export async function endOwnSessions() {
  for (const item of await ask("GET", "/api/sessions")) {
    if (!item.current && item.user === session.value.user) await ask("DELETE", `/api/sessions/${item.id}`);
  }
  await logOut();
}
