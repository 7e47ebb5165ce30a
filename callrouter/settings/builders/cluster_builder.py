"""Builds what `cluster:` says, and checks that it can work."""

from __future__ import annotations

import ipaddress
from typing import Final

from callrouter.model.text import phrase
from callrouter.settings.errors.problems import quoted
from callrouter.settings.extras import POSTGRESQL
from callrouter.settings.loaded import ClusterSettings, HttpSettings
from callrouter.settings.schema.options import spec_values
from callrouter.settings.schema.root_options import RootOptions
from callrouter.settings.yaml.source import Document

_RESERVED: Final = "cluster"
"""No pool has this name: the tables that all pools share are in the schema ``callrouter_cluster``."""


def build_cluster(
    root: RootOptions, document: Document, http: HttpSettings
) -> ClusterSettings | None:
    """Return what ``cluster:`` says; None: this daemon is alone.

    A cluster without PostgreSQL is an error: one file cannot be read from two machines. An address
    that the other machines cannot reach is a warning.
    """
    cluster = root.cluster
    if cluster is None:
        return None
    if not root.database.startswith(POSTGRESQL):
        document.error(
            ("cluster",),
            phrase(
                "cluster-needs-postgresql-database-in-which",
                "a cluster needs a PostgreSQL database, in which its daemons agree on who is active",
            ),
            phrase(
                "database-such-as",
                "database: postgresql://USER:PASSWORD@HOST/DATABASE",
            ),
            key=True,
        )
    if cluster.pool == _RESERVED:
        document.error(
            ("cluster", "pool"),
            phrase(
                "pool-cannot-be-named-what-all",
                "a pool cannot be named {name}: what all pools share has this name",
                name=quoted(_RESERVED),
            ),
            phrase("such-as-main", "such as main"),
        )
    if cluster.url is None and (here := _only_here(http.host)):
        document.warning(
            ("cluster",),
            phrase(
                "daemons-on-other-machines-cannot-reach",
                "daemons on other machines cannot reach this one: it listens on {host}, {here}",
                host=http.host,
                here=here,
            ),
            phrase(
                "add-url-http-host-port-with",
                "add url: http://HOST:PORT, with an address that the others can reach",
            ),
        )
    url = cluster.url or http_address(http)
    return ClusterSettings(**spec_values(cluster, url=url.rstrip("/")))


def http_address(http: HttpSettings) -> str:
    """Return the URL of the address that the HTTP side listens on."""
    host = f"[{http.host}]" if ":" in http.host else http.host
    return f"{'https' if http.certificate else 'http'}://{host}:{http.port}"


def _only_here(host: str) -> str:
    """Return why an address to listen on is none to reach this machine by; empty: it is one."""
    this_machine = phrase("this-machine-only", "which is this machine only")
    if host == "localhost":
        return this_machine
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    if address.is_loopback:
        return this_machine
    return phrase("says-no-address", "which says no address") if address.is_unspecified else ""
