// Where one is: the part of the address behind #, such as `floor`, `call/c1` or `records?queue=support`.
// Each can be sent to a colleague.

import { computed, signal } from "../vendor/preact.js";

const here = () => location.hash.slice(1);

/** The part of the address behind #. */
export const view = signal(here());
addEventListener("hashchange", () => { view.value = here(); });

/** Go to an address. What is shown follows at once: the browser's own event comes later, and until then a menu that
 * is drawn again would jump back to the choice of before. */
export function goTo(address) {
  location.hash = address;
  view.value = here();
}

/** Its parts: the view's `name`, the `id` of what it shows, and the values of its `query`. */
export const route = computed(() => {
  const [path, ...query] = view.value.split("?");
  const [name, ...rest] = path.split("/");
  return { name, id: decoded(rest.join("/")), query: Object.fromEntries(new URLSearchParams(query.join("?"))) };
});

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

/** The address of a view. Empty values of the query are left out. */
export function address(name, id = "", query = {}) {
  const values = new URLSearchParams(Object.entries(query).filter(([, value]) => value)).toString();
  return `#${name}${id ? `/${encodeURIComponent(id)}` : ""}${values ? `?${values}` : ""}`;
}
