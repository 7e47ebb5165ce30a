"""What stands where with ``config: database``: in the file of each router, or in its pool's files.

A router then has one file of its own, which says where the database is, and all else comes from
there. A section that stands in the wrong one of the two is an error: nothing is ignored in silence.
"""

from __future__ import annotations

from typing import Final

from callrouter.model.text import phrase
from callrouter.settings.errors.problems import Findings, Source, quoted
from callrouter.settings.yaml.reader import Section

BOOTSTRAP: Final = "callrouter.yaml"
"""The file of each router: enough to reach the configuration in the database."""
REST: Final = "site.yaml"
"""The file that gets what `BOOTSTRAP` says of the whole pool, when files are put into the database."""
NODE_SECTIONS: Final = frozenset({"database", "cluster", "config"})
"""Sections that only a router's own file has."""
OWN_SECTIONS: Final = NODE_SECTIONS | {"socket", "queue_log_file"}
"""Sections that may differ between routers, in whichever of the files they stand."""
OWN_HTTP: Final = frozenset({"listen", "tls"})
"""Keys of ``http`` that only a router's own file has."""
_MIXED: Final = OWN_SECTIONS | {"http"}
"""Sections that a router's own file may have."""


def check_bootstrap(source: Source, sections: Section, findings: Findings) -> None:
    """Report what a router's own file says and the pool's files should say."""
    for key, (at, _) in sections.at.items():
        if key not in _MIXED:
            findings.error(
                source,
                at.line + 1,
                at.column + 1,
                phrase(
                    "matter-whole-pool-not-this-router",
                    "{key} belongs to the whole pool, not to this router",
                    key=quoted(key),
                ),
                phrase(
                    "put-into-pools-configuration-with-callrouter",
                    "put it into the pool's configuration with `callrouter config push DIR`",
                ),
            )


def check_pool_file(source: Source, sections: Section, findings: Findings) -> None:
    """Report what a file of the pool says and each router should say for itself."""
    wrong = {key: at for key, (at, _) in sections.at.items() if key in NODE_SECTIONS}
    http = sections.get("http")
    if isinstance(http, Section):
        wrong |= {f"http: {key}": at for key, (at, _) in http.at.items() if key in OWN_HTTP}
    for what, at in wrong.items():
        findings.error(
            source,
            at.line + 1,
            at.column + 1,
            phrase("each-routers-own", "{what} is each router's own", what=quoted(what)),
            phrase(
                "take-out-here-stands-in-each",
                "take it out here; it stands in {file} of each router",
                file=BOOTSTRAP,
            ),
        )
