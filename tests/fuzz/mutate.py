"""Something like what comes in, and not quite."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

_TOKENS: Final = [
    b"\r\n", b"\r\n\r\n", b"\n", b"\0", b"\xff\xfe", b": ", b"Event: ", b"Uniqueid: 1.1", b"cr-b-1-desk",
    b"(null)", b"nan", b"inf", b"-1", b"9" * 400, "\u2028".encode(), "\u202e".encode(), b"=", b"%00",
    b"{" * 300, b"[" * 2000, b'"', b"\\", b"A" * 5000, b"support", b"../", b"Content-Length: 99999999",
    b"&", b"%0d%0a", b"%ff", b"<", b"${X}", b"\xd9\xa3", b"+", b"00", b" ", b"\t", b"- ", b"{", b"*a", b"&a ", b"!!",
]  # fmt: skip


def mutated(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Something like what comes in, and not quite."""
    data = bytearray(b"".join(rng.choices(seeds, k=rng.randint(1, 5))))
    for _ in range(rng.randint(0, 6)):
        at, size = rng.randrange(len(data) + 1), rng.randint(0, 12)
        match rng.randrange(5):
            case 0:
                data[at : at + size] = b""
            case 1:
                data[at:at] = rng.choice(_TOKENS)
            case 2:
                data[at : at + size] = rng.choice(_TOKENS)
            case 3:
                data[at : at + size] = rng.randbytes(size)
            case _:
                data[at:at] = data[max(0, at - 80) : at]
    return bytes(data[:20_000])
