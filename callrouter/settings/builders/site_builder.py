"""Builds what concerns the whole site: the HTTP side, users, codes, numbers and others."""

from __future__ import annotations

import grp
import ipaddress
import shlex
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Final

from callrouter.mobiles.mobile_records import Approval, NumberSettings
from callrouter.model.ivr import PhoneCodes
from callrouter.model.text import phrase
from callrouter.settings import extras
from callrouter.settings.builders.build_context import (
    BuildContext,
    find_zone,
    warn_of_missing_file,
)
from callrouter.settings.errors.problems import Nearest, quoted
from callrouter.settings.loaded import (
    ApiToken,
    HistorySettings,
    HttpSettings,
    NumberRetention,
    OidcSettings,
    ServiceLevel,
    SocketSettings,
    UserSettings,
)
from callrouter.settings.schema.durations import format_duration
from callrouter.settings.schema.options import spec_values
from callrouter.settings.schema.root_options import (
    ApiTokenOptions,
    HistoryNumbersOptions,
    HttpOptions,
    NumbersOptions,
    RootOptions,
)
from callrouter.settings.yaml.reader import Section
from callrouter.settings.yaml.source import Document, KeyPath

_ASTERISKS_OWN: Final = Path("/var/log/asterisk/queue_log")
"""The queue_log of an Asterisk whose folders are not configured."""


def build_http(root: RootOptions, context: BuildContext, folder: Path) -> HttpSettings:
    """Build the HTTP settings, with paths relative to the folder.

    Without a section ``http``, the defaults apply. Tokens and names of tokens that stand twice are
    errors, as are agents and queues that do not fit the token. HTTP without TLS on an address that
    other machines reach is a warning.
    """
    document = context.document
    http = root.http or HttpOptions.model_validate({})
    host, _, port = http.listen.rpartition(":")
    host = host.strip("[]")
    if http.tls is not None:
        for key in ("certificate", "key"):
            file = folder / getattr(http.tls, key)
            warn_of_missing_file(document, ("http", "tls", key), file)
    if http.tls is None and not is_loopback(host):
        document.warning(
            ("http", "listen"),
            phrase(
                "http-without-tls-open-other-machines", "HTTP without TLS is open to other machines"
            ),
            phrase("listen-on-127-0-0-1", "listen on 127.0.0.1, or give http a tls"),
        )
    tokens: set[str] = set()
    names: set[str] = set()
    for index, token in enumerate(http.api_tokens):
        if token.name in names:
            path = ("http", "api_tokens", index, "name")
            document.error(
                path,
                phrase(
                    "api-token-stands-twice",
                    "api token {name} appears twice",
                    name=quoted(token.name),
                ),
            )
        if token.token in tokens:
            path = ("http", "api_tokens", index, "token")
            document.error(
                path,
                phrase("token-stands-twice", "token appears twice"),
                phrase("give-each-program-its-own", "give each program its own"),
            )
        _check_agent(index, token, context)
        place = ("http", "api_tokens", index, "queues")
        _check_queues_of(place, token.role, token.queues, "token", context)
        names.add(token.name)
        tokens.add(token.token)
    return HttpSettings(
        host=host,
        port=int(port),
        public_url=(http.public_url or "").rstrip("/"),
        oidc=_oidc(http, context),
        trusted_proxies=tuple(_proxies(http, document)),
        certificate=folder / http.tls.certificate if http.tls else None,
        key=folder / http.tls.key if http.tls else None,
        api_tokens=tuple(
            ApiToken(**spec_values(token, queues=tuple(dict.fromkeys(token.queues))))
            for token in http.api_tokens
        ),
    )


def _proxies(http: HttpOptions, document: Document) -> Iterator[str]:
    """Yield the networks of trusted proxies, once each; what is none is an error."""
    found = set()
    for index, text in enumerate(http.trusted_proxies):
        try:
            network = str(ipaddress.ip_network(text, strict=False))
        except ValueError:
            wrong = phrase(
                "no-address-no-network",
                "{what} is neither an address nor a network",
                what=quoted(text),
            )
            document.error(
                ("http", "trusted_proxies", index),
                wrong,
                phrase("such-as-10-0-0-7", "such as 10.0.0.7 or 10.0.0.0/24"),
            )
            continue
        if network not in found:
            found.add(network)
            yield network


def _oidc(http: HttpOptions, context: BuildContext) -> OidcSettings | None:
    """Return the provider of OpenID Connect; None: there is none.

    Without a `public_url` it could not send people back. What is not HTTPS must be on this machine.
    """
    oidc, document = http.oidc, context.document
    if oidc is None:
        return None
    path = ("http", "oidc")
    if lack := extras.lacks("oidc"):
        document.error(
            path,
            phrase("oidc-needs", "oidc needs {lack}", lack=lack),
            extras.remedy("oidc"),
            key=True,
        )
    if not http.public_url:
        text = phrase(
            "oidc-needs-public-url-which-provider",
            "oidc needs public_url, to which the provider sends people back",
        )
        document.error(
            path,
            text,
            phrase(
                "http-public-url-https-calls-example",
                "http: {{public_url: https://calls.example.com, …}}",
            ),
            key=True,
        )
    scheme, _, rest = oidc.issuer.partition("://")
    host = rest.partition("/")[0].partition(":")[0]
    if scheme != "https" and not is_loopback(host):
        text = phrase(
            "issuer-not-https-so-anyone-on",
            "issuer {issuer} is not HTTPS, so anyone on the way could log in",
            issuer=oidc.issuer,
        )
        document.error((*path, "issuer"), text, f"https://{rest}")
    return OidcSettings(**spec_values(oidc, scopes=tuple(dict.fromkeys(oidc.scopes))))


def _check_agent(index: int, token: ApiTokenOptions, context: BuildContext) -> None:
    """Check that a token's agent exists, and that its role is limited to acting for one.

    Role agent without an agent is only a warning: such a token sees the queues' counts.
    """
    path = ("http", "api_tokens", index, "agent")
    if token.agent is None:
        if token.role == "agent":
            context.document.warning(
                ("http", "api_tokens", index, "role"),
                phrase(
                    "api-token-acts-for-no-agent",
                    "api token {name} acts for no agent and sees no more than the queues' counts",
                    name=quoted(token.name),
                ),
                phrase(
                    "add-agent-name-or-take-role",
                    "add agent: NAME, or take role: metrics or supervisor",
                ),
            )
        return
    if token.role != "agent":
        text = phrase(
            "token-role-acts-for-all-agents",
            "a token of role {role} acts for all agents",
            role=token.role,
        )
        context.document.error(
            path,
            text,
            phrase("take-agent-out-or-give-role", "take agent: out, or give it role: agent"),
            key=True,
        )
    else:
        context.check_name("agents", token.agent, path, "agent")


def _check_queues_of(
    path: KeyPath, role: str, queues: Sequence[str], what: str, context: BuildContext
) -> None:
    """Check that only a supervisor is limited to queues, and that each of these exists.

    Args:
        path: where the queues stand.
        role: the role of the token or user.
        queues: its queues.
        what: ``token`` or ``user``.
        context: where problems are reported.
    """
    nothing = phrase("would-be-limited-to-nothing", "it would be limited to nothing")
    context.refuse_empty(path, nothing)
    if queues and role != "supervisor":
        text = phrase(
            "role-not-limited-by-queues",
            "a {what} of role {role} is not limited by queues",
            what=what,
            role=role,
        )
        context.document.error(
            path,
            text,
            phrase("take-queues-out-or-give-role", "take queues: out, or give it role: supervisor"),
            key=True,
        )
        return
    for place, queue in enumerate(queues):
        context.check_name("queues", queue, (*path, place), "queue")


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine.

    No name is looked up: only ``localhost`` and loopback addresses count.
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def build_zone(root: RootOptions, document: Document, nearest: Nearest) -> tzinfo:
    """Return the site's time zone; UTC for an unknown one, which is reported."""
    return find_zone(str(root.timezone), ("timezone",), document, nearest)


def build_socket(root: RootOptions, document: Document) -> SocketSettings:
    """Return the group that may use the command line; warn if this machine does not have it.

    Without a section ``socket`` the group is empty: no group may use it.
    """
    if root.socket is None:
        return SocketSettings()
    try:
        grp.getgrnam(root.socket.group)
    except KeyError:
        name = root.socket.group
        text = phrase(
            "this-machine-has-no-group", "this machine has no group {name}", name=quoted(name)
        )
        document.warning(
            ("socket", "group"),
            text,
            phrase("groupadd-system", "groupadd --system {quote}", quote=shlex.quote(name)),
        )
    return SocketSettings(**spec_values(root.socket))


def build_users(root: RootOptions, context: BuildContext) -> dict[str, UserSettings]:
    """Build the people who are not agents.

    The key is a user's id. Passwords are hashes already. An agent's id is refused, since agents
    log in by theirs, and so are queues of anyone but a supervisor.
    """
    for id_, user in root.users.items():
        if id_ in root.agents:
            text = phrase(
                "agent-who-logs-in-as-agent",
                "{id} is an agent, who logs in as agent already",
                id=quoted(id_),
            )
            hint = phrase(
                "give-user-another-id-such-as",
                "give the user another id, such as {id}-admin",
                id=id_,
            )
            context.document.error(("users", id_), text, hint, key=True)
        _check_queues_of(("users", id_, "queues"), user.role, user.queues, "user", context)
        written = context.document.written("users", id_)
        refused = isinstance(written, Section) and "password" in written.at
        can_log_in = user.password is not None or (root.http and root.http.oidc)
        if not can_log_in and not refused:
            text = phrase(
                "has-no-password-cannot-log-in",
                "{id} has no password and cannot log in",
                id=quoted(id_),
            )
            hint = phrase(
                "callrouter-passwd-makes-one-without-there",
                "callrouter passwd makes one; without it there must be http: oidc",
            )
            context.document.error(("users", id_), text, hint, key=True)
    _check_emails(root, context.document)
    return {
        id_: UserSettings(id=id_, **spec_values(user, queues=tuple(dict.fromkeys(user.queues))))
        for id_, user in root.users.items()
    }


def _check_emails(root: RootOptions, document: Document) -> None:
    """Report a mail address that appears twice: it could not say who logs in."""
    first: dict[str, str] = {}
    for section, people in (("users", root.users), ("agents", root.agents)):
        for id_, person in people.items():
            if person.email is None:
                continue
            other = first.setdefault(person.email.casefold(), id_)
            if other != id_:
                text = phrase(
                    "address-already",
                    "{email} is the address of {other} already",
                    email=person.email,
                    other=quoted(other),
                )
                document.error(
                    (section, id_, "email"),
                    text,
                    phrase("each-address-one-persons", "each address is one person's"),
                )


def build_numbers(root: RootOptions) -> NumberSettings:
    """Return which mobiles may be registered.

    Without a section ``numbers``, the defaults of its options apply.
    """
    numbers = root.numbers or NumbersOptions.model_validate({})
    values = spec_values(
        numbers,
        countries=tuple(numbers.countries),
        types=tuple(numbers.types),
        approval=Approval(numbers.approval),
    )
    return NumberSettings(**values)


def build_history(root: RootOptions, document: Document) -> HistorySettings:
    """Return how long calls are stored; the defaults without a section ``history``.

    What belongs to a call cannot outlive it: a written duration that is longer than `keep` is
    reported, and a default is shortened.
    """
    history = root.history
    if history is None:
        return HistorySettings()
    numbers = history.numbers or HistoryNumbersOptions.model_validate({})
    for path, written in (
        (("history", "decisions"), history.decisions),
        (("history", "numbers", "keep"), numbers.keep),
    ):
        group = numbers if "numbers" in path else history
        if path[-1] in group.model_fields_set and written > history.keep:
            keep = format_duration(history.keep)
            text = phrase(
                "longer-than-calls-are-kept",
                "{key} is longer than calls are kept ({keep})",
                key=_key_of_history(path),
                keep=keep,
            )
            document.error(
                path,
                text,
                phrase(
                    "at-most-or-longer-keep-history",
                    "{keep} at most, or a longer keep of history",
                    keep=keep,
                ),
            )
    return HistorySettings(
        **spec_values(
            history,
            decisions=min(history.decisions, history.keep),
            numbers=NumberRetention(**spec_values(numbers, keep=min(numbers.keep, history.keep))),
        )
    )


def _key_of_history(path: KeyPath) -> str:
    """Return the key of a duration in ``history``, with the group it is in, if there is one."""
    *group, key = map(str, path[1:])
    if not group:
        return key
    return phrase("key-of-group", "{key} of {group}", key=key, group=group[0])


def build_service_levels(root: RootOptions) -> dict[str, ServiceLevel]:
    """Return the targets of the queues that have one.

    The key is the queue's id. `within` is in seconds, `target` in percent.
    """
    return {
        id_: ServiceLevel(**spec_values(queue.service_level))
        for id_, queue in root.queues.items()
        if queue.service_level is not None
    }


def check_queue_log(root: RootOptions, document: Document) -> None:
    """Report a file of queue_log that is not used, or that Asterisk writes as well."""
    path = ("queue_log_file",)
    named = "queue_log_file" in root.model_fields_set
    if named and root.queue_log in {"asterisk", "off"}:
        text = phrase(
            "queue-log-file-not-used-with",
            "queue_log_file is not used with queue_log: {queue_log}",
            queue_log=root.queue_log,
        )
        document.warning(
            path,
            text,
            phrase("take-out-or-set-queue-log", "take it out, or set queue_log: file"),
            key=True,
        )
    if root.queue_log == "both" and Path(root.queue_log_file) == _ASTERISKS_OWN:
        text = phrase(
            "with-queue-log-both-asterisk-writes",
            "with queue_log: both, Asterisk writes the same lines into this file",
        )
        document.error(
            path,
            text,
            phrase(
                "name-another-file-or-set-queue", "name another file, or set queue_log: asterisk"
            ),
        )


def build_codes(root: RootOptions, document: Document) -> PhoneCodes:
    """Build the codes; two that cannot be told apart are reported.

    ``none`` becomes an empty code, which any number of functions may have. A code that is the pause
    code and a digit from 1 to 9 is reported as well: it is a pause for that reason.
    """
    if root.codes is None:
        return PhoneCodes()
    written = spec_values(root.codes)
    codes = {name: "" if code == "none" else code for name, code in written.items()}
    taken: dict[str, str] = {}
    for name, code in codes.items():
        if code in taken:
            text = phrase(
                "s-already",
                "{name}: {what} is {taken}'s already",
                name=name,
                what=quoted(code),
                taken=taken[code],
            )
            document.error(
                ("codes", name),
                text,
                phrase("give-each-code-its-own", "give each a code of its own"),
            )
        elif code and code[:-1] and code[:-1] == codes["pause"] and code[-1] in "123456789":
            text = phrase(
                "pause-for-reason-digit",
                "{name}: {what} is a pause for the reason of that digit",
                name=name,
                what=quoted(code),
            )
            document.error(
                ("codes", name),
                text,
                phrase("give-each-code-its-own", "give each a code of its own"),
            )
        elif code:
            taken[code] = name
    return PhoneCodes(**codes)
