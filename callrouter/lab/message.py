"""SIP messages (RFC 3261) as values: parsing, formatting, addresses and digest answers.

No I/O. Everything from a socket goes through `parse`, which raises `BadMessageError` for input that
the rest of the laboratory could not handle.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

_COMPACT = {
    "v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length",
    "c": "content-type", "k": "supported", "r": "refer-to", "b": "referred-by", "o": "event",
    "e": "content-encoding", "s": "subject", "u": "allow-events", "x": "session-expires",
}  # fmt: skip
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+\Z")
_NAME_ADDR = re.compile(r'(?:"((?:[^"\\]|\\.)*)"\s*|([^<"]*))<([^<>]*)>(.*)\Z', re.DOTALL)
_AUTH_PARAM = re.compile(
    r'(?<![A-Za-z0-9_-])([A-Za-z0-9_-]++)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))'
)
_REQUIRED = ("via", "from", "to", "call-id", "cseq")
_REASONS = {
    100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 202: "Accepted",
    302: "Moved Temporarily", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
    408: "Request Timeout", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist",
    486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event",
    500: "Server Internal Error", 501: "Not Implemented", 503: "Service Unavailable",
    603: "Decline",
}  # fmt: skip


class BadMessageError(ValueError):
    """The datagram is not a usable SIP message; the text says what is wrong with it."""


class Headers:
    """Header fields in order. Names are compared without case and in their long form."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items = [(name, value) for name, value in items]

    def add(self, name: str, value: str) -> None:
        """Append one field."""
        self._items.append((name, value))

    def all(self, name: str) -> list[str]:
        """Return every value of `name` in order, not split at commas.

        Compact and long forms are found by either (RFC 3261, 7.3.3).
        """
        wanted = long_name(name)
        return [value for key, value in self._items if long_name(key) == wanted]

    def get(self, name: str) -> str:
        """Return the first value of `name`, or an empty string."""
        return next(iter(self.all(name)), "")

    def items(self) -> list[tuple[str, str]]:
        """Return all fields as they were written."""
        return list(self._items)


@dataclass(slots=True)
class Message:
    """The common part of requests and responses.

    Attributes:
        at: arrival in `time.monotonic` seconds; 0 for our own messages.
    """

    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    at: float = field(default=0.0, kw_only=True)

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self.headers.get("call-id")

    @property
    def cseq(self) -> int:
        """The number of the CSeq; 0 if there is none.

        Also 0 for anything but plain ASCII digits, since it comes from the network.
        """
        number = self.headers.get("cseq").split(" ", 1)[0]
        return int(number) if number.isascii() and number.isdigit() else 0

    @property
    def cseq_method(self) -> str:
        """The method of the CSeq."""
        return self.headers.get("cseq").rpartition(" ")[2]

    @property
    def branch(self) -> str:
        """The branch of the topmost Via, which identifies the transaction (RFC 3261, 17).

        Empty if there is none, which `parse` refuses.
        """
        return parameters(self.headers.get("via").split(",", 1)[0]).get("branch", "")

    @property
    def from_tag(self) -> str:
        """The From tag."""
        return parse_address(self.headers.get("from")).tag

    @property
    def to_tag(self) -> str:
        """The To tag; empty outside a dialog."""
        return parse_address(self.headers.get("to")).tag

    def _write(self, first: str) -> bytes:
        lines = [first, *(f"{name}: {value}" for name, value in self.headers.items())]
        lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + self.body


@dataclass(slots=True)
class Request(Message):
    """A SIP request."""

    method: str = ""
    uri: str = ""

    def to_bytes(self) -> bytes:
        """Return the datagram, with Content-Length added."""
        return self._write(f"{self.method} {self.uri} SIP/2.0")


@dataclass(slots=True)
class Response(Message):
    """A SIP response."""

    code: int = 0
    reason: str = ""

    def to_bytes(self) -> bytes:
        """Return the datagram, with Content-Length added."""
        return self._write(f"SIP/2.0 {self.code} {self.reason}")


@dataclass(frozen=True, slots=True)
class SipAddress:
    """A name-addr: `"Ann" <sip:1001@127.0.0.1>;tag=x`."""

    name: str
    uri: str
    params: dict[str, str]

    @property
    def tag(self) -> str:
        """The tag parameter, or an empty string."""
        return self.params.get("tag", "")

    @property
    def user(self) -> str:
        """The user part of the URI."""
        return uri_user(self.uri)


def long_name(name: str) -> str:
    """Return the lower-case long form of a header's name.

    Unknown names are only lower-cased.
    """
    low = name.strip().lower()
    return _COMPACT.get(low, low)


def uri_user(uri: str) -> str:
    """Return the user part of a SIP URI without parameters; empty if there is none."""
    rest = uri.partition(":")[2]
    user, at, _ = rest.partition("@")
    return user.split(";", 1)[0] if at else ""


def parameters(value: str) -> dict[str, str]:
    """Return the `;name=value` parameters after the first part of a header's value.

    Names are in lower case, values without quotes. The first of two with the same name counts, and
    one without a value has an empty one.
    """
    found: dict[str, str] = {}
    for part in value.split(";")[1:]:
        name, _, text = part.partition("=")
        found.setdefault(name.strip().lower(), text.strip().strip('"'))
    return found


def parse_address(value: str) -> SipAddress:
    """Parse a From, To, Contact, Refer-To or P-Asserted-Identity value; never raises.

    Text that is no name-addr is taken as a bare URI, whose parameters then belong to the header
    (RFC 3261, 20.10).
    """
    text = value.strip()
    match = _NAME_ADDR.match(text)
    if match is None:
        return SipAddress("", text.split(";", 1)[0].strip(), parameters(text))
    quoted, plain, uri, rest = match.groups()
    name = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain.strip()
    return SipAddress(name, uri.strip(), parameters(rest))


def quote(text: str) -> str:
    """Return `text` as a quoted string without control characters, which could end a header.

    Bytes that are not UTF-8 are written as with `surrogateescape`: the name of a hostile caller may
    contain them.
    """
    clean = "".join(c for c in text if c.isprintable() or "\udc80" <= c <= "\udcff")
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse(data: bytes) -> Request | Response:
    """Parse one datagram.

    Raises:
        BadMessageError: it is not SIP 2.0, a required header is missing, or the body is truncated.
    """
    head, found, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not found:
        raise BadMessageError("no empty line after the headers")
    first, *lines = head.decode("utf-8", "replace").split("\r\n")
    headers = _headers(lines)
    for name in _REQUIRED:
        if not headers.get(name):
            raise BadMessageError(f"no {name} header")
    message = _first_line(first)
    message.headers, message.body = headers, _body(headers, body)
    if message.cseq == 0 or not message.branch:
        raise BadMessageError("the CSeq has no number or the Via no branch")
    if isinstance(message, Request) and message.cseq_method != message.method:
        raise BadMessageError(f"a {message.method} whose CSeq says {message.cseq_method}")
    return message


def _headers(lines: list[str]) -> Headers:
    unfolded: list[str] = []
    for line in lines:
        if line[:1] in {" ", "\t"} and unfolded:
            unfolded[-1] += " " + line.strip()
        else:
            unfolded.append(line)
    headers = Headers()
    for line in unfolded:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.match(name.strip()):
            raise BadMessageError(f"not a header: {line[:40]!r}")
        headers.add(name.strip(), value.strip())
    return headers


def _first_line(line: str) -> Request | Response:
    if line.startswith("SIP/2.0 "):
        code, _, reason = line[8:].partition(" ")
        if not (code.isascii() and code.isdigit() and 100 <= int(code) <= 699):
            raise BadMessageError(f"not a status code: {code[:10]!r}")
        return Response(code=int(code), reason=reason)
    method, _, rest = line.partition(" ")
    uri, _, version = rest.rpartition(" ")
    if version != "SIP/2.0" or not uri or " " in uri or not _TOKEN.match(method):
        raise BadMessageError(f"not a SIP 2.0 first line: {line[:40]!r}")
    return Request(method=method, uri=uri)


def _body(headers: Headers, body: bytes) -> bytes:
    length = headers.get("content-length")
    if not length:
        return body
    if not (length.isascii() and length.isdigit() and len(length) < 7):
        raise BadMessageError(f"not a length: {length[:10]!r}")
    if int(length) > len(body):
        raise BadMessageError("the body is shorter than its Content-Length")
    return body[: int(length)]


def respond(request: Request, code: int, *, tag: str = "", body: bytes = b"") -> Response:
    """Return the response to `request`, with headers copied as RFC 3261, 8.2.6 requires.

    A `tag` is added to To unless there is one or the code is 100. A body is taken for SDP.
    """
    headers = Headers([("Via", value) for value in request.headers.all("via")])
    to = request.headers.get("to")
    if tag and code != 100 and not request.to_tag:
        to += f";tag={tag}"
    headers.add("From", request.headers.get("from"))
    headers.add("To", to)
    headers.add("Call-ID", request.call_id)
    headers.add("CSeq", request.headers.get("cseq"))
    if body:
        headers.add("Content-Type", "application/sdp")
    return Response(headers, body, code, _REASONS.get(code, "Response"))


def authorize(
    challenge: str, *, method: str, uri: str, username: str, password: str, count: int = 1
) -> str:
    """Return the digest answer (RFC 2617: MD5, optionally `qop=auth`) to a WWW-Authenticate value.

    Args:
        challenge: the value of the header.
        method: of the request that was challenged.
        uri: its request URI.
        username: the SIP user.
        password: the password, which only goes into the digest.
        count: how often this nonce has been used, this time included.

    Raises:
        BadMessageError: the challenge is not a digest, or requires an unsupported algorithm or qop.
    """
    scheme, _, rest = challenge.strip().partition(" ")
    fields = {m[1].lower(): m[2] if m[2] is not None else m[3] for m in _AUTH_PARAM.finditer(rest)}
    realm, nonce, qop = (fields.get(key, "") for key in ("realm", "nonce", "qop"))
    usable = scheme.lower() == "digest" and fields.get("algorithm", "MD5").upper() == "MD5"
    if not usable or not nonce or (qop and "auth" not in qop.split(",")):
        raise BadMessageError(f"a challenge this phone cannot answer: {challenge[:80]!r}")
    secret = _md5(f"{username}:{realm}:{password}")
    what = _md5(f"{method}:{uri}")
    answer = {"username": username, "realm": realm, "nonce": nonce, "uri": uri}
    extra = ", algorithm=MD5"
    if qop:
        nc, cnonce = f"{count:08x}", secrets.token_hex(8)
        answer["response"] = _md5(f"{secret}:{nonce}:{nc}:{cnonce}:auth:{what}")
        answer["cnonce"] = cnonce
        extra += f", qop=auth, nc={nc}"
    else:
        answer["response"] = _md5(f"{secret}:{nonce}:{what}")
    if "opaque" in fields:
        answer["opaque"] = fields["opaque"]
    return "Digest " + ", ".join(f'{key}="{value}"' for key, value in answer.items()) + extra


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
