"""The HTTP side, over real connections: without a token, with odd framing, slow, or in masses."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import logging
import random
import re
import resource
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from unittest.mock import patch

from callrouter.api.access import tokens
from callrouter.api.openapi import document
from callrouter.model.events import SignedOut
from tests.api.test_connection_limit import client_tls, serving
from tests.api.world import World
from tests.fuzz import web
from tests.fuzz.mutate import mutated
from tests.held.count import Count

HONEST = 32
SIGN_IN = (
    b"POST /api/agents/bob/sign-in HTTP/1.1\r\nHost: x\r\n"
    b"Authorization: Bearer supervisor-token-1\r\nContent-Length: 0\r\n\r\n"
)
"""A request that counts if it is taken for one."""


async def said(port: int, data: bytes, tls: ssl.SSLContext | None = None) -> list[int]:
    """Send bytes and return the statuses of all answers until the connection ends or rests."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    answer = bytearray()
    try:
        writer.write(data)
        while piece := await asyncio.wait_for(reader.read(65536), 0.3 if answer else 2.0):
            answer += piece
    except (OSError, TimeoutError):
        pass
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", bytes(answer))]


async def first(port: int, data: bytes, tls: ssl.SSLContext | None = None) -> int:
    """Send a request and return the status of its answer; 0: the connection was closed."""
    try:
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
            writer.write(data)
            line = await reader.readline()
            writer.close()
            return int(line.split()[1]) if line else 0
    except (OSError, TimeoutError):
        return 0


# ---------------------------------------------------------------- without a token


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "LINK")
_AS_IF = (
    (),
    ("Authorization: Bearer", "Authorization: Bearer null"),
    ("Authorization: Bearer supervisor-token-2",),
    ("Authorization: Bearer supervisor-token-1, Bearer x",),
    ("Authorization: Basic c3VwZXJ2aXNvci10b2tlbi0x",),
    ("Cookie: __Host-callrouter=supervisor-token-1",),
    ("X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=localhost"),
    ("X-Original-URL: /healthz", "X-Rewrite-URL: /healthz", "X-HTTP-Method-Override: GET"),
)


def _spelled(path: str) -> Iterator[str]:
    """Return ways to write a path that some servers take for the same."""
    yield path
    yield path + "/"
    yield "/" + path
    yield path.upper()
    yield path.replace("a", "%61", 1)
    yield f"/healthz/..{path}"
    yield f"/healthz/%2e%2e{path}"
    yield f"{path}?token=supervisor-token-1&access_token=supervisor-token-1"
    yield f"{path};/healthz"
    yield f"{path}%00/healthz"
    yield f"http://x{path}"
    yield f"{path}#/healthz"


@cache
def _open_to_all() -> frozenset[str]:
    """The paths that anyone may read, as the document says."""
    return frozenset(
        path
        for path, found in document()["paths"].items()
        if "get" in found and found["get"].get("security") == []
    )


async def without_token() -> Count:
    """Every route in many spellings, with every method and with what is no token."""
    count, world = Count(), World()
    world.in_step()
    paths = [
        path.replace("{id}", "bob").replace("{device}", "desk") for path in document()["paths"]
    ]
    tries = [
        *itertools.product(paths, _METHODS, _AS_IF),
        *(
            (spelling, method, ())
            for path in paths
            for spelling in _spelled(path)
            for method in ("GET", "POST")
        ),
    ]
    # Their delays are another door's; here they would only take time.
    with patch.object(tokens, "PAUSE", 0.0):
        async with serving(world) as (port, _):
            before = len(world.notices)
            for path, method, headers in tries:
                lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *headers]
                status = await first(port, "\r\n".join([*lines, "", ""]).encode("latin-1"))
                plain = re.split(r"[?#]", path)[0].replace("%61", "a").removeprefix("http://x")
                open_to_all = (plain.rstrip("/") or "/") in _open_to_all()
                held = 400 <= status < 500 or (open_to_all and method in {"GET", "HEAD"})
                count.take(held=held, what=f"{method} {path} {headers}: {status}")
            changed = len(world.notices) - before
            count.take(held=not changed and not world.pbx.commands, what="the floor has changed")
            lines = [
                "GET /api/status HTTP/1.1",
                "Host: x",
                "Authorization: Bearer supervisor-token-1",
            ]
            count.take(
                held=await first(port, "\r\n".join([*lines, "", ""]).encode()) == 200,
                what="the right token is refused too",
            )
    return count


# ---------------------------------------------------------------- framing


def framings() -> Iterator[tuple[str, bytes]]:
    """Requests whose end is in doubt; what might be a second one signs bob in."""
    chunked = b"0\r\n\r\n" + SIGN_IN
    length = b"Content-Length: %d\r\n" % len(chunked)
    for written in (
        b"Transfer-Encoding: chunked", b"Transfer-Encoding : chunked", b"Transfer-Encoding:\tchunked",
        b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: identity",
        b"Transfer-Encoding: identity, chunked", b"Transfer-Encoding: chunked\x0b", b"Transfer-Encoding:\x0bchunked",
        b"Transfer-Encoding: \"chunked\"", b"Transfer-Encoding: chunked;q=1", b"transfer-encoding: CHUNKED",
        b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, chunked", b"Transfer_Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", b"X: y\rTransfer-Encoding: chunked",
        b"X: y\nTransfer-Encoding: chunked", b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding: ch\0unked",
        b" Transfer-Encoding: chunked", b"Transfer-Encoding\0: chunked", b"Transfer-Encoding: chunked\r",
    ):  # fmt: skip
        yield (
            "length and chunks",
            b"POST /healthz HTTP/1.1\r\nHost: x\r\n" + length + written + b"\r\n\r\n" + chunked,
        )
        yield (
            "chunks and length",
            b"POST /healthz HTTP/1.1\r\nHost: x\r\n"
            + written
            + b"\r\n"
            + length
            + b"\r\n"
            + chunked,
        )
    size = len(SIGN_IN)
    for written in (
        b"Content-Length: 0\r\nContent-Length: %d", b"Content-Length: %d\r\nContent-Length: 0", b"Content-Length: 0, %d",
        b"Content-Length: +%d", b"Content-Length: -%d", b"Content-Length: 0x%d", b"Content-Length: %d ,0",
        b"Content-Length: 1 %d", b"Content-Length : %d", b"Content-Length: %d.0", b"Content-Length: %de0",
        b"Content_Length: 0\r\nContent-Length: %d, %d"[:34], b"Content-Length:\r\n %d", b" Content-Length: %d",
    ):  # fmt: skip
        shown = written % ((size,) * written.count(b"%d"))
        yield "odd length", b"POST /healthz HTTP/1.1\r\nHost: x\r\n" + shown + b"\r\n\r\n" + SIGN_IN
    for body in (
        b"0x0\r\n\r\n", b"+0\r\n\r\n", b"-0\r\n\r\n", b" 0\r\n\r\n", b"0;\n\r\n", b"1\r\nab\r\n0\r\n\r\n", b"0\n\n",
        b"ffffffffffffffff1\r\na\r\n0\r\n\r\n", b"0\r\nContent-Length: 9\r\n\r", b"1;x=\"\r\n\"\r\na\r\n0\r\n\r\n"[:9],
        b"1\ra\r\n0\r\n\r\n", b"zz\r\n\r\n", b"\r\n0\r\n\r\n",
    ):  # fmt: skip
        yield (
            "odd chunks",
            (
                b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                + body
                + SIGN_IN
            ),
        )
    for head in (
        b"GET /healthz\r\n", b"GET /healthz HTTP/0.9\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: x\r\n folded\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX\0: y\r\n", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9_000 + b"\r\n",
        b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 5_000, b"GET /healthz HTTP/1.1\r\nHost: x\r\nno colon\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n", b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n",
    ):  # fmt: skip
        yield "odd head", head + b"X-End: " + SIGN_IN.replace(b"\r\n\r\n", b"\r\n") + b"\r\n"


async def framing() -> Count:
    """No hidden request is carried out, and no answer is a fault."""
    count, world = Count(), World()
    world.in_step()

    def signed_in() -> bool:
        return world.floor.agents["bob"].signed_in

    async with serving(world) as (port, _):
        assert 200 in await said(port, SIGN_IN)
        assert signed_in(), "it counts where it stands by itself"
        for kind, data in framings():
            world.runtime.post(SignedOut(agent="bob"))
            statuses = await said(port, data)
            fault = any(status >= 500 and status != 503 for status in statuses)
            # Chunks that end as the standard has it may be followed by another request.
            count.take(
                held=not signed_in() and not fault, what=f"{kind}: {data[:200]!r} {statuses}"
            )
    return count


# ---------------------------------------------------------------- noise


async def noise(inputs: int = 14_000) -> Count:
    """Damaged requests, as `make fuzz` makes them."""
    count, rng = Count(), random.Random(11)
    logging.getLogger("callrouter").setLevel(logging.CRITICAL)
    async with web.http() as knock:
        for _ in range(inputs):
            data = mutated(web.HTTP_SEEDS, rng)
            try:
                await knock(data)
            except AssertionError as error:
                count.take(held=False, what=f"{data[:100]!r}: {error}")
            else:
                count.take(held=True, what="")
    return count


def _memory() -> int:
    """Return the resident memory of this process in KiB."""
    return int(re.findall(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[0])


async def bombs() -> Count:
    """Compressed bodies of a thousand times their size are not unpacked."""
    count, world = Count(), World()
    bomb = gzip.compress(bytes(60_000_000))
    async with serving(world) as (port, _):
        before = _memory()
        for path, token in itertools.product(
            ("/api/agents/bob/pause", "/api/config/reload", "/healthz"),
            (b"", b"Authorization: Bearer supervisor-token-1\r\n"),
        ):
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n".encode() + token
            status = await first(port, head + b"Content-Length: %d\r\n\r\n" % len(bomb) + bomb)
            count.take(held=status in {0, 401, 404, 405, 413, 415}, what=f"{path}: {status}")
        grown = (_memory() - before) / 1024
        count.take(held=grown < 10, what=f"memory grew by {grown:.0f} MiB")
    count.note = f"{len(bomb) // 1000} kB for 60 MB each; memory +{grown:.1f} MiB"
    return count


# ---------------------------------------------------------------- slow and silent


async def _held_open(
    port: int, data: bytes, number: int, count: Count, tls: ssl.SSLContext | None = None
) -> None:
    """Hold many connections open, and count honest requests beside them."""
    held = []
    before = _memory()
    for _ in range(number):
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            held.append((reader, writer))
    answers = [
        await first(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", tls)
        for _ in range(HONEST)
    ]
    for status in answers:
        count.take(held=status in {200, 503}, what=f"beside {number} that send {data!r}: {status}")
    count.note += f"{number:,} of {data[:12]!r}: +{(_memory() - before) / 1024:.0f} MiB; "
    for _, writer in held:
        writer.close()
    await asyncio.sleep(0.2)


async def slow(number: int = 1_300) -> Count:
    """Heads that do not end, bodies that do not come, and clients that say nothing."""
    count = Count()
    _many_files()
    async with serving(World()) as (port, limiter):
        for data in (
            b"GET /healthz HTTP/1.1\r\nX: ",
            b"",
            b"POST /api/config/reload HTTP/1.1\r\nContent-Length: 9\r\n\r\n{",
        ):
            await _held_open(port, data, number, count)
        count.note += f"{limiter.shut_out:,} closed"
    return count


async def tls(number: int = 6_000) -> Count:
    """Clients that never begin TLS, and old versions of it."""
    count = Count()
    _many_files()
    with tempfile.TemporaryDirectory(prefix="held-") as folder:
        key, cert = Path(folder, "key.pem"), Path(folder, "cert.pem")
        _certificate(key, cert)
        async with serving(World(), cert, key) as (port, _):
            await _held_open(port, b"\x16\x03\x01", number, count, client_tls())
            for version in ("-tls1", "-tls1_1"):
                ended = await asyncio.create_subprocess_exec(
                    *("openssl", "s_client", version, "-cipher", "ALL:@SECLEVEL=0"),
                    *("-connect", f"127.0.0.1:{port}"),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                )
                count.take(held=await ended.wait() != 0, what=f"{version} is taken")
    return count


def _certificate(key: Path, cert: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )


def _many_files() -> None:
    """Allow for both ends of every connection in this process."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


DOORS: Sequence[str] = ("without_token", "framing", "noise", "bombs", "slow", "tls")
