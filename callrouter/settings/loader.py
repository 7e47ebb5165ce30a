"""From a folder to `Settings`, with validation, and the JSON Schema of the whole configuration.

Invalid parts of a document are reported and removed, and the rest is validated again until it fits.
So one run finds all mistakes, including those that only show across keys.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from callrouter.background import without_collection
from callrouter.settings.builders import alert_builder, pbx_builder, site_builder, table_builder
from callrouter.settings.builders.build_context import BuildContext
from callrouter.settings.builders.cluster_builder import build_cluster
from callrouter.settings.builders.config_builder import check_source
from callrouter.settings.builders.database_url import check_database
from callrouter.settings.builders.site_builder import build_codes
from callrouter.settings.config_digest import config_digest
from callrouter.settings.config_files import ConfigSnapshot, read_snapshot
from callrouter.settings.errors.explanations import explain_error
from callrouter.settings.errors.problems import ConfigError, Findings, Nearest, in_order
from callrouter.settings.lint import instance_lint
from callrouter.settings.loaded import Settings
from callrouter.settings.schema.number_parsing import at_home
from callrouter.settings.schema.root_options import RootOptions
from callrouter.settings.yaml.reader import Items, Section
from callrouter.settings.yaml.source import Document, KeyPath, read_document
from callrouter.settings.yaml.stand_ins import StandIns
from callrouter.settings.yaml.substitution import Substituter

_NULL: Final = {"type": "null"}


def load(
    folder: Path,
    *,
    environ: Mapping[str, str],
    policies: Collection[str] | None = None,
    now: float | None = None,
    base: Path | None = None,
) -> Settings:
    """Read every ``*.yaml`` and ``*.yml`` of `folder`; see `load_snapshot`.

    The arguments that are not `folder` are the same.

    Raises:
        ConfigError: There are mistakes, or the folder cannot be read.
    """
    return load_snapshot(
        read_snapshot(folder), environ=environ, policies=policies, now=now, base=base
    )


def load_snapshot(
    snapshot: ConfigSnapshot,
    *,
    environ: Mapping[str, str],
    policies: Collection[str] | None = None,
    now: float | None = None,
    base: Path | None = None,
    stand_ins: bool = False,
) -> Settings:
    """Return the settings in the files of a snapshot.

    Args:
        snapshot: The files; paths in them are relative to its folder.
        environ: The environment for ``${NAME}``.
        policies: The allowed names for ``policy:``; default: those installed.
        now: The time (epoch seconds), to warn of holidays that are all in the past; None: no
            warning.
        base: The folder to which paths in the files are relative instead, to read the files as if
            they were there.
        stand_ins: Whether a reference that cannot be resolved here is only a warning, because the
            files are meant for other machines. Something of the right form stands in for it.

    Raises:
        ConfigError: There are mistakes; it carries all of them, each with its place.
    """
    if policies is None:
        # Imported here, so that reading files does not depend on importable policies.
        from callrouter.policies import known  # noqa: PLC0415

        policies = known()
    findings = Findings()
    base = snapshot.folder if base is None else base
    substitute = StandIns(base, environ) if stand_ins else Substituter(base, environ)
    with without_collection():
        document = read_document(snapshot, substitute, findings)
        nearest = Nearest()
        root = validate(document, nearest)
        settings = None
        if isinstance(substitute, StandIns):
            substitute.warn(document)
        if root is not None:
            check_source(root, document, snapshot)
            settings = _build(root, document, nearest, base, policies=frozenset(policies), now=now)
            _free_piecewise(root)
        document.free_piecewise()
    if findings.errors or settings is None:
        raise ConfigError(findings.errors, findings.error_count)
    return settings


def _free_piecewise(root: RootOptions) -> None:
    """Free the data piece by piece.

    Freeing ten thousand agents at once would block all other threads for 50 ms.
    """
    for section in (root.agents, root.queues):
        while section:
            section.popitem()


def _build(
    root: RootOptions,
    document: Document,
    nearest: Nearest,
    folder: Path,
    *,
    policies: frozenset[str],
    now: float | None,
) -> Settings:
    pbxes = pbx_builder.build_pbxes(root, document, folder)
    zone = site_builder.build_zone(root, document, nearest)
    check_database(root, document, nearest)
    site_builder.check_queue_log(root, document)
    context = BuildContext(
        document=document, nearest=nearest, policies=policies, pbxes=pbxes, zone=zone
    )
    table = table_builder.build_table(root, context)
    http = site_builder.build_http(root, context, folder)
    users = site_builder.build_users(root, context)
    codes = build_codes(root, document)
    history = site_builder.build_history(root, document)
    cluster = build_cluster(root, document, http)
    digest = config_digest(document.root) if cluster is not None else ""
    if not document.findings.errors:
        instance_lint.add_warnings(root, table, document, now)
    return Settings(
        table=table,
        pbxes=pbx_builder.with_codes(pbxes, codes),
        http=http,
        socket=site_builder.build_socket(root, document),
        users=users,
        pins={id_: agent.pin for id_, agent in root.agents.items() if agent.pin is not None},
        passwords={
            id_: agent.password for id_, agent in root.agents.items() if agent.password is not None
        },
        emails={id_: agent.email for id_, agent in root.agents.items() if agent.email is not None},
        service_levels=site_builder.build_service_levels(root),
        numbers=site_builder.build_numbers(root),
        codes=codes,
        destinations=alert_builder.build_destinations(root, context),
        alerts=alert_builder.build_alerts(root, context),
        webhooks=alert_builder.build_webhooks(root, context),
        smtp=alert_builder.build_smtp(root, context),
        timezone=root.timezone,
        database=root.database,
        cluster=cluster,
        config=root.config,
        digest=digest,
        history=history,
        queue_log=root.queue_log,
        queue_log_file=root.queue_log_file,
        removals_at_once=root.reload is not None and root.reload.removals == "at-once",
        warnings=in_order(
            document.findings.warnings, document.findings.warning_count, mistakes=False
        ),
        files=document.files,
    )


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a configuration file, for editors that complete and check.

    It is less strict than `load`: whether a name exists, and what depends on several keys, only
    that can check.
    """
    made = RootOptions.model_json_schema()
    _tidy(made)
    return {"$schema": "http://json-schema.org/draft-07/schema#", **made, "title": "callrouter"}


def write_schema(path: Path) -> None:
    """Write the JSON Schema as shipped in ``config/callrouter.schema.json``.

    Raises:
        OSError: The file cannot be written.
    """
    path.write_text(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n", "utf-8")


def _tidy(node: object) -> None:
    """Forbid keys that are not names, and remove titles, which add nothing.

    `node` is changed in place, at every depth. Null is taken out of the types too.
    """
    if isinstance(node, list):
        for item in node:
            _tidy(item)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("title"), str):
        del node["title"]
    # An empty value does not mean "the default": the reader rejects it.
    if _NULL in node.get("anyOf", ()):
        others = [option for option in node.pop("anyOf") if option != _NULL]
        node.update(others[0] if len(others) == 1 else {"anyOf": others})
    if "patternProperties" in node:
        node["additionalProperties"] = False
    if "default" in node and node["default"] is None:
        del node["default"]
    for value in list(node.values()):
        _tidy(value)


# ---------------------------------------------------------------- validation

_ROUNDS: Final = 20
_GONE: Final = object()
"""Stands for a removed item of a list until all paths into the list have been used."""


def validate(document: Document, nearest: Nearest) -> RootOptions | None:
    """Return the options in a document; invalid parts are reported to it and removed from it.

    Args:
        document: The document.
        nearest: Finds the right name for a mistyped one.

    Returns:
        The valid options; None if an invalid part cannot be removed.
    """
    with at_home(_region(document.root)):
        return _validate(document, nearest)


def _region(root: object) -> object:
    """Return the home country of numbers as written; the files are not validated yet."""
    numbers = root.get("numbers") if isinstance(root, dict) else None
    return numbers.get("region") if isinstance(numbers, dict) else None


def _validate(document: Document, nearest: Nearest) -> RootOptions | None:
    for _ in range(_ROUNDS):
        try:
            return RootOptions.model_validate(document.root)
        except ValidationError as error:
            found = error.errors(include_url=False)
        paths = [explain_error(document, nearest, each) for each in found]
        if not _take_out(document.root, paths):
            break
    return None


def _take_out(root: Section, paths: Iterable[KeyPath]) -> bool:
    """Remove the values at `paths`; True if at least one existed.

    Indexes in `paths` are those before the removal. A list that loses items is marked as `thinned`.
    """
    lists: dict[int, Items] = {}  # rebuild each list once: it may have ten thousand bad items
    done = False
    for path in paths:
        owner: object = root
        for part in path[:-1]:
            if isinstance(owner, Section):
                owner = owner.get(str(part))
            elif isinstance(owner, Items) and isinstance(part, int):
                owner = owner[part]
        last = path[-1] if path else None
        if isinstance(owner, Section) and last in owner:
            del owner[str(last)]
            done = True
        elif isinstance(owner, Items) and isinstance(last, int):
            owner[last] = _GONE
            lists[id(owner)] = owner
            done = True
    # Only now, so that the indexes in other paths stayed valid.
    for items in lists.values():
        kept = [i for i, item in enumerate(items) if item is not _GONE]
        items.thinned = True
        items.at[:] = [items.at[i] for i in kept]
        items[:] = [items[i] for i in kept]
    return done
