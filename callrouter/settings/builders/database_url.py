"""The address of a PostgreSQL database, parsed strictly. No message contains a password."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, unquote

from callrouter.model.text import phrase
from callrouter.settings import extras
from callrouter.settings.errors.hints import such_as, write
from callrouter.settings.errors.problems import Nearest
from callrouter.settings.extras import POSTGRESQL
from callrouter.settings.schema.root_options import RootOptions
from callrouter.settings.yaml.source import Document, KeyPath

_KEYS: Final = frozenset(
    {
        *("host", "hostaddr", "port", "user", "password", "passfile", "dbname", "service"),
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslnegotiation"),
        *("application_name", "client_encoding", "options", "connect_timeout", "keepalives"),
        *("keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"),
        *("target_session_attrs", "load_balance_hosts", "channel_binding", "gssencmode"),
        *("require_auth", "krbsrvname"),
    }
)
"""The options libpq accepts after ``?`` (PostgreSQL 16, "Connection Strings")."""
_SSL: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_PLACE: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.%-]*)(?::(?P<port>[^:]*))?")
_KEYWORDS: Final = re.compile(r"(?<!\S)(?:host|hostaddr|port|dbname|user|password|service) ?=")
"""libpq's other form of an address, which would be taken for a file's name."""
_EXAMPLE: Final = "postgresql://USER:PASSWORD@HOST/DATABASE"
_BROKEN: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def check_database(root: RootOptions, document: Document, nearest: Nearest) -> None:
    """Report mistakes in the address of a PostgreSQL database.

    The path of a SQLite file is not checked here. A missing library is an error too; a link to
    another machine that does not prove its identity is a warning.
    """
    url = root.database
    path: KeyPath = ("database",)
    if not url.startswith(POSTGRESQL):
        if _KEYWORDS.search(url):
            said = "database is neither the name of a file nor an address"
            document.error(path, phrase("database-neither", said), write(_EXAMPLE))
        return
    faults = list(_faults(url, nearest))
    for text, hint in faults:
        document.error(path, text, hint)
    if faults:
        return
    if lack := extras.lacks("postgres"):
        document.error(
            path,
            phrase("postgresql-needs", "PostgreSQL needs {lack}", lack=lack),
            extras.remedy("postgres"),
        )
    if _is_open(url):
        text = phrase(
            "link-database-server-does-not-prove",
            "the link to the database server does not prove that it is the right one",
        )
        document.warning(
            path,
            text,
            phrase("add-sslmode-verify-full-address", "add ?sslmode=verify-full to the address"),
        )


def _parts(url: str) -> tuple[str, str, str, str]:
    """Return the user part, the host part, the database and the rest, as written.

    Each may be empty, and nothing is decoded: ``%40`` stays as it is.
    """
    rest, _, query = url.removeprefix(POSTGRESQL).partition("?")
    places, _, name = rest.partition("/")
    who, _, places = places.rpartition("@")
    return who, places, name, query


def _faults(url: str, nearest: Nearest) -> Iterator[tuple[str, str]]:
    """Yield what is wrong and what would be right.

    Each is a text and a hint (which may be empty). Nothing of the address is quoted, since it may
    be a part of the password.
    """
    who, places, name, query = _parts(url)
    if re.search(r"[\s\x00-\x1f\x7f#]", url) or _BROKEN.search(url):
        said = "the address has a character that must be written as %XX"
        yield phrase("address-percent", said), such_as("%23 = #")
        return
    if "@" in who or "@" in name or ":" in who.partition(":")[2]:
        said = "user or password has a character that must be written as %XX"
        yield phrase("user-or-password-percent", said), "%40 = @, %3A = :, %2F = /"
        return
    for place in places.split(","):
        yield from _place(place)
    given = parse_qsl(query, keep_blank_values=True)
    keys = [key for key, _ in given]
    if not name and not {"dbname", "service"} & set(keys):
        yield phrase("address-no-database", "the address names no database"), _EXAMPLE
    elif "/" in unquote(name):
        yield phrase("database-slash", "the name of the database has a /"), _EXAMPLE
    for key, value in given:
        if key not in _KEYS:
            # Not quoted: if the password contains a ?, this is part of it.
            hint = nearest.hint(key, tuple(sorted(_KEYS)))
            hint = hint or phrase("in-a-password", "in a password, write {signs}", signs="%3F = ?")
            yield phrase("unknown-database-option", "an option behind the ? is not known"), hint
        elif key == "sslmode" and value not in _SSL:
            hint = nearest.hint(value, _SSL)
            hint = hint or phrase("one-of", "one of {names}", names=_SSL)
            yield phrase("unknown-sslmode", "unknown sslmode"), hint
        elif keys.count(key) > 1:
            yield phrase("option-twice", "the option {key} appears twice", key=key), ""


def _place(place: str) -> Iterator[tuple[str, str]]:
    found = _PLACE.fullmatch(place)
    if found is None:
        # Not quoted: if the password contains a / or @, this is part of it.
        hint = "a name or an address; in a password, write {signs}"
        said = phrase("unreadable-host", "the host can't be read")
        yield said, phrase("name-or-address", hint, signs="%2F = /, %40 = @")
        return
    port = found["port"]
    if port is not None and not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65_535):
        said = phrase("no-port", "the port is not a number from 1 to 65535")
        yield said, phrase("in-a-password", "in a password, write {signs}", signs="%2F = /")


def _is_open(url: str) -> bool:
    """Return whether the link goes to another machine without verifying its identity.

    A Unix socket and a loopback address are this machine. With a ``service``, its own file may ask
    for the proof.
    """
    _, places, _, query = _parts(url)
    given = dict(parse_qsl(query))
    if given.get("sslmode") == "verify-full" or "service" in given:
        return False
    hosts = [place.rpartition(":")[0] or place for place in places.split(",")]
    return not all(_is_here(given.get("host") or unquote(host)) for host in hosts)


def _is_here(host: str) -> bool:
    if host in {"", "localhost"} or host.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
