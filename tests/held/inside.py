"""Webhooks, numbers, files and the database: what gets past the first look."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import phonenumbers
from alembic import command
from phonenumbers import PhoneNumberType

from callrouter.core.invariants import check
from callrouter.mobiles.mobile_records import NumberSettings
from callrouter.mobiles.number_policy import AcceptedNumber, is_mobile_form, read_number
from callrouter.pbx.twilio.webhook import PARTS
from callrouter.settings import ConfigError, load
from callrouter.store import upgrade
from callrouter.store.database import server_at
from callrouter.store.location import File
from callrouter.store.upgrade import REVISIONS
from tests.held.count import Count
from tests.settings.cases import POLICIES
from tests.twilio.peer import ACCOUNT
from tests.twilio.test_http import AGENT, CALLER, place, until
from tests.twilio.world import NUMBER

# ---------------------------------------------------------------- Twilio

_WORDS = (
    "ringing", "in-progress", "completed", "busy", "no-answer", "", "0", "-1", "nan", "9" * 50, "1", "2", "#", "*",
    "hangup", "redirected-from-bridged", "queue-full", "conference-start", "conference-end", CALLER, AGENT,
    "CA" + "3" * 32, "+33123456789", NUMBER, "anonymous", "sip:*45@x", "\u202e", "<Dial>", "${X}", "a" * 900, "bob",
)  # fmt: skip
_FIELDS = (
    "From", "To", "CallStatus", "Digits", "QueueResult", "QueueTime", "QueuePosition", "CallerName", "CallSid",
    "FriendlyName", "StatusCallbackEvent", "CallSidEndingConference", "SipResponseCode", "SipUsername", "AnsweredBy",
    "ConferenceSid", "Duration", "DialCallStatus", "ParentCallSid", "SequenceNumber",
)  # fmt: skip


async def twilio(forged: int = 2_000, nonsense: int = 4_000) -> Count:
    """Forged requests reach nothing; signed nonsense makes no fault and breaks no rule."""
    count, rng = Count(), random.Random(12)
    logging.getLogger("callrouter").setLevel(logging.CRITICAL)
    # Delays of refusals are another door's.
    with patch("callrouter.api.server.refusal_pace.DELAY", 0.0):
        async with place(resync_every=3600.0) as at:
            await until(lambda: at.pbx.health().up)
            handled = at.runtime.handled
            for _ in range(forged):
                how = rng.choice(("wrong secret", "none", "garbage"))
                status, _ = await at.post(
                    rng.choice(PARTS),
                    rng.choice(("", "t")),
                    secret="other",
                    signature={"none": "", "garbage": "AAAA"}.get(how),
                    **_form(rng),  # type: ignore[arg-type]
                )
                count.take(held=status == 403, what=f"{how}: {status}")
            count.take(held=at.runtime.handled == handled, what="a forged request was an event")
            for _ in range(nonsense):
                part, form = rng.choice(PARTS), _form(rng)
                status, _ = await at.post(part, rng.choice(("", "t", "../x")), **form)  # type: ignore[arg-type]
                count.take(held=status in {200, 400, 403, 404}, what=f"{part} {form}: {status}")
            broken = check(at.runtime.router.floor)
            count.take(held=not broken and not at.runtime.faults, what=f"{broken}")
            dialled = {form.get("To") for form in at.twilio.posts("Calls.json")}
            count.take(held=dialled <= {"+447700900001"}, what=f"dialled {dialled}")
    return count


def _form(rng: random.Random) -> dict[str, str]:
    return {
        "CallSid": rng.choice((CALLER, AGENT, "CA" + rng.randbytes(16).hex())),
        **{name: rng.choice(_WORDS) for name in rng.sample(_FIELDS, rng.randrange(8))},
        "AccountSid": ACCOUNT,
    }


# ---------------------------------------------------------------- numbers


_COUNTRIES = (
    ("GB",), ("GB", "FR", "DE", "US", "IT"), ("US",), ("CH", "AT"), ("AU", "NZ"), ("IN",), ("BR", "MX"), ("ZA",),
)  # fmt: skip
_ALLOWED_TYPES = {
    PhoneNumberType.MOBILE,
    PhoneNumberType.FIXED_LINE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE,
}
_DEAR = (
    "911", "112", "999", "000", "110", "118", "119", "116123", "+449098790000", "+1900555012", "+19005550123", "+979123456789",
    "+8816123456", "+88216123456", "+87012345678", "+870773111632", "+88312345", "+80012345678", "+8081234567", "+3581001",
    "+41900123456", "+33899123456", "+491371234567", "+878101234567", "*21*07400123456#", "#31#07400123456",
)  # fmt: skip


async def numbers(at_random: int = 60_000) -> Count:
    """No number is taken of a country or a kind that is not allowed, however it is written."""
    count, rng = Count(), random.Random(13)
    rules = [NumberSettings(region=names[0], countries=names) for names in _COUNTRIES]
    for region, kind, settings in itertools.product(
        sorted(phonenumbers.SUPPORTED_REGIONS), PhoneNumberType.values(), rules
    ):
        example = phonenumbers.example_number_for_type(region, kind)
        if example is None:
            continue
        for form in range(4):  # E.164, international, national, RFC 3966
            _judge(count, phonenumbers.format_number(example, form), settings)
    for text, settings in itertools.product(_DEAR, rules):
        count.take(held=not isinstance(read_number(text, settings), AcceptedNumber), what=text)
    for _ in range(at_random):
        digits = "".join(rng.choices("0123456789", k=rng.randrange(3, 17)))
        _judge(count, rng.choice(("+", "00", "0", "")) + digits, rng.choice(rules))
    return count


def _judge(count: Count, text: str, settings: NumberSettings) -> None:
    verdict = read_number(text, settings)
    if not isinstance(verdict, AcceptedNumber):
        count.take(held=True, what="")
        return
    parsed = phonenumbers.parse(verdict.number)
    held = (
        is_mobile_form(verdict.number)
        and verdict.country in settings.countries
        and phonenumbers.number_type(parsed) in {*_ALLOWED_TYPES, PhoneNumberType.UNKNOWN}
    )
    # Numbers for films have no type; everything else must.
    if phonenumbers.number_type(parsed) == PhoneNumberType.UNKNOWN:
        held = held and verdict.number.startswith("+447700900")
    count.take(held=held, what=f"{text} for {settings.countries}: {verdict.number}")


# ---------------------------------------------------------------- files


def _yaml() -> Iterator[tuple[str, bytes]]:
    """Files that are large, deep, no text, or something else than data."""
    names = [f"a{n}" for n in range(9)]
    lol = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
        for before, name in itertools.pairwise(names)
    )
    yield "aliases of aliases", lol.encode()
    yield "merge keys", b"a: &a {x: 1}\nb: {<<: *a}\n"
    yield (
        "a merge of merges",
        b"".join(b"a%d: &a%d {<<: *a%d}\n" % (n + 1, n + 1, n) for n in range(50)),
    )
    yield "an anchor in itself", b"a: &a [*a]\n"
    yield "two documents", b"a: 1\n---\nb: 1\n"
    for opening, closing in ((b"[", b"]"), (b"{a: ", b"}"), (b"- ", b""), (b"? ", b"")):
        for depth in (1_000, 100_000):
            yield f"{depth} deep", opening * depth + b"x" + closing * depth
    for tag in (
        b"!!python/object/apply:os.system ['touch /tmp/held-owned']", b"!!python/name:os.system", b"!!python/tuple [1]",
        b"!!binary aGVsZA==", b"!!timestamp 2026-01-01", b"!!set {a}", b"!include /etc/passwd", b"!ENV ${HOME}", b"!<x> y",
        b"!!int 1_000", b"!!null x",
    ):  # fmt: skip
        yield f"the tag {tag[:24].decode()}", b"queues: " + tag + b"\n"
    yield "a NUL", b"queues:\0 {}\n"
    yield "no UTF-8", b"queues: {q: {name: \xff\xfe}}\n"
    yield "UTF-16", "queues: {}\n".encode("utf-16")
    yield "a bell", b"queues: {q: {name: \x07}}\n"
    yield "many keys", b"".join(b"k%d: 1\n" % n for n in range(50_000))
    yield (
        "many wrong names",
        b"queues: {q: {agents: [" + b", ".join(b"n%d" % n for n in range(10_000)) + b"]}}\n",
    )
    yield "a long line", b"queues: {q: {on_full: " + b"a" * 1_000_000 + b"}}\n" + b"b" * 1_000_000
    yield "a long number", b"queues: {q: {max_wait: " + b"9" * 5_000 + b"}}\n"
    yield "directives", b"%YAML 9.9\n%TAG ! tag:x:\n---\na: 1\n"
    yield "references of references", b"queues: {q: {name: '${A}${A}${file:/etc/shadow}${${A}}'}}\n"


async def files(within: float = 5.0) -> Count:
    """Each file is refused with words, quickly, and nothing is run or read because of it."""
    count, owned = Count(), Path("/tmp/held-owned")
    longest = 0.0
    environ: Mapping[str, str] = {"A": "${A}" * 1_000}
    with tempfile.TemporaryDirectory(prefix="held-") as name:
        folder = Path(name)
        for what, content in _yaml():
            (folder / "all.yaml").write_bytes(content)
            began = time.process_time()
            said = "taken"
            with suppress(ConfigError):
                try:
                    load(folder, environ=environ, policies=POLICIES)
                except ConfigError as error:
                    said = str(error)
                    raise
            took = time.process_time() - began
            longest = max(longest, took)
            held = took < within and len(said) < 100_000 and "root:" not in said and said != "taken"
            count.take(held=held, what=f"{what}: {took:.1f} s, {said[:100]}")
        (folder / "all.yaml").unlink()
        for what, path in (
            ("a device", "/dev/zero"),
            ("a pipe", ""),
            ("memory", "/proc/self/environ"),
        ):
            if path:
                (folder / "all.yaml").symlink_to(path)
            else:
                os.mkfifo(folder / "all.yaml")
            try:
                load(folder, environ={}, policies=POLICIES)
                held = False
            except ConfigError:
                held = True
            count.take(held=held, what=what)
            (folder / "all.yaml").unlink()
    count.take(held=not owned.exists(), what="a command of a file was run")
    count.note = f"slowest {longest:.2f} s of processor time"
    return count


# ---------------------------------------------------------------- the database


_ROWS = 100_000
_OLD = REVISIONS[1]
_UPGRADE = (
    "import sys, time; from pathlib import Path; from callrouter.store import upgrade\n"
    "from callrouter.store.database import server_at; from callrouter.store.location import File\n"
    "server = server_at(File(Path(sys.argv[1])), time.time); print('ready', flush=True)\n"
    "link = server.open(); upgrade.bring_up(link, server); link.close()\n"
)


def _old_database(path: Path) -> None:
    """Make a database of an early version with many rows."""
    real = command.upgrade
    with patch("alembic.command.upgrade", lambda config, _head: real(config, _OLD)):
        server = server_at(File(path), time.time)
        link = server.open()
        upgrade.bring_up(link, server)
        link.close()
    with sqlite3.connect(path) as by_hand:
        by_hand.executemany(
            "INSERT INTO agents (agent, signed_in, wrap_queue, misses, calls, day) "
            "VALUES (?, 1, '', 0, 7, '2025-11-21')",
            ((f"agent{n}",) for n in range(_ROWS)),
        )
    by_hand.close()


async def upgrades(kills: int = 40) -> Count:
    """Kill an upgrade at random moments: the database is the old one or the new one."""
    count, rng = Count(), random.Random(14)
    found: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="held-") as name:
        original = Path(name, "old.db")
        _old_database(original)
        whole = 0.0
        for turn in range(kills + 1):
            path = Path(name, f"{turn}", "callrouter.db")
            path.parent.mkdir()
            path.write_bytes(original.read_bytes())
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _UPGRADE, str(path)),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            assert process.stdout is not None
            await process.stdout.readline()
            began = time.monotonic()
            if turn:
                with suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), rng.uniform(0.0, whole * 1.1))
            else:  # the first one shows how long it takes
                await process.wait()
                whole = time.monotonic() - began
                continue
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            state = _state(path)
            found[state] = found.get(state, 0) + 1
            count.take(held=state in {_OLD, REVISIONS[-1]}, what=f"turn {turn}: {state}")
    count.note = f"{found.get(_OLD, 0)} old, {found.get(REVISIONS[-1], 0)} new"
    return count


def _state(path: Path) -> str:
    """Return the version of a database, or what is wrong with it."""
    link = sqlite3.connect(path)
    try:
        [(fine,)] = link.execute("PRAGMA quick_check").fetchall()
        [(rows,)] = link.execute("SELECT count(*) FROM agents WHERE calls = 7").fetchall()
        [(version,)] = link.execute("SELECT version_num FROM callrouter_version").fetchall()
    except (sqlite3.Error, ValueError) as error:
        return f"broken: {error}"
    finally:
        link.close()
    return str(version) if fine == "ok" and rows == _ROWS else f"{fine}, {rows} rows"


DOORS: Sequence[str] = ("twilio", "numbers", "files", "upgrades")
