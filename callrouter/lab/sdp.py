"""The part of SDP (RFC 4566) that two loopback phones need: one ulaw audio stream."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

DTMF_PAYLOAD = 101
_DIRECTIONS = {"sendrecv", "sendonly", "recvonly", "inactive"}
_MIRROR = {"sendonly": "recvonly", "recvonly": "sendonly"}


@dataclass(frozen=True, slots=True)
class Sdp:
    """The other side's audio stream.

    Attributes:
        address: where it wants its RTP; port 0 means the stream is refused.
        direction: as the other side sees it.
        dtmf: its payload type for telephone-event, if it accepts any (RFC 4733).
    """

    address: tuple[str, int]
    direction: str = "sendrecv"
    dtmf: int | None = None


def write_sdp(port: int, *, direction: str = "sendrecv", version: int = 1) -> bytes:
    """Return an offer or answer for one ulaw stream received on 127.0.0.1:`port`."""
    lines = [
        "v=0",
        f"o=- {port} {version} IN IP4 127.0.0.1",
        "s=lab",
        "c=IN IP4 127.0.0.1",
        "t=0 0",
        f"m=audio {port} RTP/AVP 0 {DTMF_PAYLOAD}",
        "a=rtpmap:0 PCMU/8000",
        f"a=rtpmap:{DTMF_PAYLOAD} telephone-event/8000",
        f"a=fmtp:{DTMF_PAYLOAD} 0-16",
        "a=ptime:20",
        f"a={direction}",
        "",
    ]
    return "\r\n".join(lines).encode()


def mirror(direction: str) -> str:
    """Return the direction of the answer to a stream offered with `direction`.

    What the one side only sends, the other only receives. The others stay (RFC 3264, 6.1).
    """
    return _MIRROR.get(direction, direction)


def read_sdp(body: bytes) -> Sdp | None:
    """Return the audio stream of `body`, or None if there is none that this phone can speak to.

    Only loopback addresses count: the laboratory sends nothing anywhere else.
    """
    host, port, direction, dtmf, audio = "", 0, "sendrecv", None, False
    for line in body.decode("utf-8", "replace").splitlines():
        kind, _, value = line.strip().partition("=")
        if kind == "c" and (audio or not host):
            host = value.split("/")[0].rpartition(" ")[2]
        elif kind == "m":
            if audio:
                break
            words = value.split()
            if len(words) < 4 or words[0] != "audio" or "0" not in words[3:]:
                continue
            audio, port = True, _number(words[1], 65_535)
        elif kind == "a" and value in _DIRECTIONS:
            direction = value
        elif kind == "a" and audio and value.lower().endswith("telephone-event/8000"):
            dtmf = _number(value.removeprefix("rtpmap:").split(" ")[0], 127) or None
    if not audio or not _is_loopback(host):
        return None
    return Sdp((host, port), direction, dtmf)


def _number(text: str, most: int) -> int:
    good = text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= most
    return int(text) if good else 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False
