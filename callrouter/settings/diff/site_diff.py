"""Describes changes that concern the whole site: PBXes, the HTTP side, users, codes and others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import tzinfo

from callrouter.model.routing_table import Table
from callrouter.model.text import phrase
from callrouter.settings.diff.compare import (
    ADDED,
    REMOVED,
    Difference,
    added_or_removed,
    differing,
    option_differences,
)
from callrouter.settings.diff.queue_diff import all_hours
from callrouter.settings.loaded import (
    ApiToken,
    AsteriskSettings,
    ClusterSettings,
    HttpSettings,
    PbxSettings,
    Settings,
    TwilioSettings,
)
from callrouter.settings.schema.cluster_options import ClusterOptions
from callrouter.settings.schema.pbx_options import PBX_GROUPS
from callrouter.settings.schema.root_options import (
    CodesOptions,
    HistoryNumbersOptions,
    HistoryOptions,
    HttpOptions,
    NumbersOptions,
    OidcOptions,
    SocketOptions,
    UserOptions,
)
from callrouter.settings.schema.transfer_options import TransfersOptions
from callrouter.settings.schema.written_values import names_or_all, names_or_none, or_none


def site_changes(old: Settings, new: Settings) -> Iterator[Difference]:
    """Yield every change that concerns no agent, queue or rule.

    Of the database, passwords and tokens, only the fact is reported that they have changed.
    """
    if old.timezone != new.timezone:
        yield Difference(
            phrase(
                "timezone-changed",
                "timezone {was} -> {now}",
                was=old.timezone,
                now=new.timezone,
            )
        )
    yield from _zone_rules(old.table, new.table)
    yield from option_differences("numbers:", NumbersOptions, old.numbers, new.numbers)
    yield from option_differences(
        "transfers:", TransfersOptions, old.table.outside, new.table.outside
    )
    if old.removals_at_once is not new.removals_at_once:
        before, after = ("at-once" if s.removals_at_once else "confirm" for s in (old, new))
        yield Difference(
            phrase(
                "reload-removals",
                "reload: removals {before} -> {after}",
                before=before,
                after=after,
            )
        )
    for change in option_differences("codes:", CodesOptions, old.codes, new.codes):
        text = "{change}; write the dialplan again with callrouter dialplan"
        yield Difference(phrase("and-write-dialplan", text, change=change.text))
    for id_ in differing(old.pbxes, new.pbxes):
        yield from _pbx(id_, old.pbxes.get(id_), new.pbxes.get(id_))
    yield from _http(old.http, new.http)
    yield from option_differences("socket:", SocketOptions, old.socket, new.socket)
    for id_ in differing(old.users, new.users):
        yield from _user(id_, old, new)
    if old.database != new.database:
        # Its address may contain a password.
        yield Difference(phrase("database-changed", "database changed"), needs_restart=True)
    yield from _cluster(old.cluster, new.cluster)
    was, now = old.history, new.history
    yield from option_differences("history:", HistoryOptions, was, now)
    yield from option_differences(
        "history: numbers",
        HistoryNumbersOptions,
        was.numbers,
        now.numbers,
    )
    for key in ("config", "queue_log", "queue_log_file"):
        before, after = getattr(old, key), getattr(new, key)
        if before != after:
            text = phrase("entry-of-site", "{key} {was} -> {now}", key=key, was=before, now=after)
            yield Difference(text, needs_restart=True)


def _cluster(old: ClusterSettings | None, new: ClusterSettings | None) -> Iterator[Difference]:
    if old is not None and new is not None:
        yield from option_differences("cluster:", ClusterOptions, old, new)
    elif old is not new:
        yield Difference(
            phrase("cluster-is", "cluster {value}", value=REMOVED if new is None else ADDED),
            needs_restart=True,
        )


def _zone_rules(old: Table, new: Table) -> Iterator[Difference]:
    """Yield a line if the system's rules for a time zone have changed but the files have not.

    They have if the zone is another object under the same name; see `build_context.find_zone`.
    """
    before, after = ({str(zone): zone for zone in _zones(table)} for table in (old, new))
    for name, zone in after.items():
        if name in before and before[name] is not zone:
            yield Difference(
                phrase(
                    "timezone-this-machine-has-other-rules",
                    "timezone {name}: this machine has other rules for it now",
                    name=name,
                )
            )


def _zones(table: Table) -> Iterator[tzinfo]:
    yield table.zone
    for queue in table.queues.values():
        if queue.timezone:
            yield from [hours.zone for hours in all_hours(queue)]
    yield from [agent.zone for agent in table.agents.values() if agent.zone is not None]


# ---------------------------------------------------------------- telephone systems


def _pbx(id_: str, old: PbxSettings | None, new: PbxSettings | None) -> Iterator[Difference]:
    if old is None or new is None:
        gone_or_new = phrase("is-new", "new") if old is None else phrase("is-gone", "gone")
        text = phrase("pbx-is", "pbx {id} is {value}", id=id_, value=gone_or_new)
        yield Difference(text, needs_restart=True)
        return
    if old.driver != new.driver:
        text = phrase(
            "pbx-driver",
            "pbx {id}: driver {was} -> {now}",
            id=id_,
            was=old.driver,
            now=new.driver,
        )
        yield Difference(text, needs_restart=True)
        return
    yield from option_differences(
        phrase("pbx-heading", "pbx {id}:", id=id_), PBX_GROUPS[new.driver], old, new
    )
    was, now = _derived(old), _derived(new)
    for key in was:
        if key in now and was[key] != now[key]:
            yield Difference(
                phrase(
                    "pbx-option-changed",
                    "pbx {id}: {key} {was} -> {now}",
                    id=id_,
                    key=key,
                    was=was[key],
                    now=now[key],
                ),
                needs_restart=True,
            )
    codes = [pbx.phone_codes for pbx in (old, new) if isinstance(pbx, TwilioSettings)]
    if codes and codes[0] != codes[-1]:
        yield Difference(
            phrase("pbx-phone-codes-changed", "pbx {id}: phone codes changed", id=id_),
            needs_restart=True,
        )


def _derived(pbx: PbxSettings) -> dict[str, str]:
    """Return what a PBX has that is not one attribute for one option, in words.

    It is empty for any other PBX than an Asterisk.
    """
    if not isinstance(pbx, AsteriskSettings):
        return {}
    found = {
        "dial_number": names_or_none(filter(None, (pbx.dial_number, *pbx.dial_numbers))),
        "ca": or_none(pbx.ca),
    }
    if pbx.number_format == "national":
        found[phrase("region-of-national", "region of national numbers")] = pbx.home.region
    return found


# ---------------------------------------------------------------- HTTP and people


def _http(old: HttpSettings, new: HttpSettings) -> Iterator[Difference]:
    before, after = _listen(old), _listen(new)
    if before != after:
        yield Difference(
            phrase("http-listen", "http: listen {before} -> {after}", before=before, after=after),
            needs_restart=True,
        )
    yield from option_differences("http:", HttpOptions, old, new)
    if old.oidc is None or new.oidc is None:
        if old.oidc is not new.oidc:
            yield Difference(
                phrase(
                    "oidc-is",
                    "http: oidc {value}",
                    value=REMOVED if new.oidc is None else ADDED,
                )
            )
    else:
        yield from option_differences("http: oidc", OidcOptions, old.oidc, new.oidc)
    if (old.certificate, old.key) != (new.certificate, new.key):
        yield Difference(
            phrase("http-tls", "http: tls {was} -> {now}", was=_tls(old), now=_tls(new)),
            needs_restart=True,
        )
    tokens, now = ({token.name: token for token in http.api_tokens} for http in (old, new))
    for name in differing(tokens, now):
        yield from map(Difference, _token(name, tokens, now))


def _token(name: str, old: Mapping[str, ApiToken], new: Mapping[str, ApiToken]) -> Iterator[str]:
    what = phrase("api-token", "api token {name}", name=name)
    if name not in old:
        yield phrase("added", "{what} added ({address})", what=what, address=new[name].role)
        return
    if name not in new:
        yield phrase("token-removed", "{what} removed", what=what)
        return
    before, after = old[name], new[name]
    if before.role != after.role:
        yield phrase(
            "role-changed",
            "{what}: role {was} -> {now}",
            what=what,
            was=before.role,
            now=after.role,
        )
    if before.agent != after.agent:
        yield phrase(
            "agent-of-token-changed",
            "{what}: agent {was} -> {now}",
            what=what,
            was=or_none(before.agent),
            now=or_none(after.agent),
        )
    if before.queues != after.queues:
        was, now = (names_or_all(token.queues) for token in (before, after))
        yield phrase("queues", "{what}: queues {was} -> {now}", what=what, was=was, now=now)
    if before.token != after.token:
        yield phrase("thing-changed", "{what} changed", what=what)


def _listen(http: HttpSettings) -> str:
    return f"[{http.host}]:{http.port}" if ":" in http.host else f"{http.host}:{http.port}"


def _tls(http: HttpSettings) -> str:
    if http.certificate is None:
        return or_none(None)
    text, files = "{files_and}", (str(http.certificate), str(http.key))
    return phrase("tls-files", text, files_and=files)


def _user(id_: str, old: Settings, new: Settings) -> Iterator[Difference]:
    before, after = old.users.get(id_), new.users.get(id_)
    if before is None or after is None:
        yield Difference(
            phrase(
                "user-is",
                "user {id} {added_or_removed}",
                id=id_,
                added_or_removed=added_or_removed(id_, old.users, new.users),
            )
        )
        return
    yield from option_differences(phrase("user", "user {id}:", id=id_), UserOptions, before, after)
