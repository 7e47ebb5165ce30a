// A line for all about the cluster: that this page comes through a standby, or that no standby is ready.

import { effect, html } from "../vendor/preact.js";
import { session, whoAmI } from "./api.js";
import { t } from "./words.js";

const EVERY = 20000; // milliseconds between two looks, in a cluster only

/** What the session says of the cluster: the `node` that answers, its `pool`, the standby that it comes `via`,
 * and how many `standbys` are ready; undefined: there is no cluster. */
export const clusterOf = () => session.value?.cluster;

/** A node's name inside a sentence of any direction. */
export const clusterName = (name) => `\u2068${name}\u2069`;

let timer = null;
effect(() => {
  const wanted = Boolean(clusterOf());
  if (wanted && timer === null) timer = setInterval(() => { if (!document.hidden) whoAmI().catch(() => undefined); }, EVERY);
  if (!wanted && timer !== null) { clearInterval(timer); timer = null; }
});

export function ClusterLine() {
  const found = clusterOf();
  if (!found) return null;
  return html`${found.standbys === 0 && html`<p class="clusterline bad" role="status"><span aria-hidden="true">▲</span> ${t("cluster.no-standby", { pool: clusterName(found.pool) })}</p>`}
    ${found.via && html`<p class="clusterline" role="status"><span aria-hidden="true">◆</span> ${t("cluster.via", { via: clusterName(found.via), node: clusterName(found.node) })}</p>`}`;
}
