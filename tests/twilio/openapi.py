"""Twilio's own OpenAPI document, and what it says of a request of ours.

It is no part of the project: `python -m tests.twilio.openapi` takes it, once, out of a package that Twilio
publishes on npm, at a pinned version whose content is checked; no code of the package is run. `make test`
does that. Where it is missing, the checks that need it are skipped and say so.

The document has no state and knows no order of calls: it shows that a request is well formed, no more.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

from tests.twilio.known import faults as twiml_faults

PACKAGE = "@twilio/cli-core@8.3.2"
INTEGRITY = (
    "qRTAZS15i/nseKHu2zZIb1BD78WFRVOWM65iC9JqjZdNpz5KQaiEI1klsLcWDi1pwXH9JG6pbFXJrIiYRJw/dw=="
)
"""SHA-512 of the package, as the registry tells it."""
FILES = {
    "twilio_api_v2010.json": "7f123267c8dd60bd5412ed723cc021f0e58d52b635e8fad41f72c4a3dda9e77e",
    "twilio_voice_v1.json": "b996be7948ad6284320a0509fc70c88b5fd10a6491846735e602f92ece595399",
}
"""SHA-256 of each document."""
_INSIDE = "package/src/services/twilio-api/"
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
_LONGEST_TWIML = 4000  # Twilio's documentation of a call's `Twiml`

Fields = Iterable[tuple[str, str]]


# ---------------------------------------------------------------- having it


def folder() -> Path:
    """Where the documents are kept: with the other things that can be fetched again."""
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callrouter"
    return cached / "twilio-openapi-8.3.2"


def missing() -> str:
    """Why the documents cannot be used; empty if they can."""
    for name, known in FILES.items():
        path = folder() / name
        if not path.exists():
            return (
                "Twilio's OpenAPI document is not here: python -m tests.twilio.openapi fetches it"
            )
        if hashlib.sha256(path.read_bytes()).hexdigest() != known:
            return f"{path} is not what it should be: delete it and fetch it again"
    return ""


def fetch() -> str:
    """Have the documents; what is to be said of it.

    Raises:
        SystemExit: npm is there and could not do it.
    """
    if not missing():
        return "Twilio's OpenAPI document is here"
    npm = shutil.which("npm")
    if npm is None:
        return (
            "SKIPPED: there is no npm on this machine to fetch Twilio's OpenAPI document with; "
            "requests to Twilio are not checked against it (all other tests are run)"
        )
    with tempfile.TemporaryDirectory() as place:
        words = [npm, "pack", PACKAGE, "--ignore-scripts", "--silent", "--pack-destination", place]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
        packed = next(Path(place).glob("*.tgz"), None)
        if done.returncode or packed is None:
            raise SystemExit(f"npm cannot fetch {PACKAGE}: {done.stderr.strip() or done.stdout}")
        if hashlib.sha512(packed.read_bytes()).digest() != base64.b64decode(INTEGRITY):
            raise SystemExit(f"what npm has as {PACKAGE} is not what was pinned")
        _unpack(packed)
    wrong = missing()
    if wrong:
        raise SystemExit(wrong)
    return f"Twilio's OpenAPI document was taken out of {PACKAGE}"


def _unpack(packed: Path) -> None:
    """Each file appears whole: another run may be looking for it."""
    folder().mkdir(parents=True, exist_ok=True)
    with tarfile.open(packed) as archive:
        for name in FILES:
            member = archive.extractfile(_INSIDE + name)
            assert member is not None
            half = folder() / f".{name}.{os.getpid()}"
            half.write_bytes(member.read())
            half.replace(folder() / name)


@cache
def _document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder() / name).read_text("utf-8"))
    return found


@cache
def _api(name: str) -> OpenAPI:
    return OpenAPI.from_dict(_document(name))


@cache
def there() -> bool:
    """Whether requests can be checked."""
    return not missing()


def ready() -> None:
    """Read the documents now: the first request would wait for it, for seconds on a busy machine."""
    for name in FILES if there() else ():
        _api(name)


# ---------------------------------------------------------------- what it says


_SID = re.compile(r"\b([A-Z]{2})[0-9a-f]{32}\b")
_TOKEN = re.compile(r"\?o=[\w-]+")


def faults(method: str, path_qs: str, fields: Fields) -> list[str]:
    """What is wrong with a request, by Twilio's document and by our own reading of it.

    Args:
        method: of HTTP.
        path_qs: path and query.
        fields: of the form, in order, a list's once for each of its items.
    """
    if not there():
        return []
    pairs = tuple(fields)
    found = [fault for name, value in pairs if name == "Twiml" for fault in _twiml(value)]
    plain = tuple((name, _plain(name, value)) for name, value in pairs)
    return found + list(_faults(method.lower(), _plain("", path_qs), plain))


seen: list[str] = []
"""What `look_at` found since it was last emptied."""


def look_at(method: str, path_qs: str, fields: Fields) -> None:
    """For servers of tests, whose handlers have nobody to raise an error to."""
    seen.extend(faults(method, path_qs, fields))


def _plain(name: str, value: str) -> str:
    """Without what makes each request another: so that each kind of request is looked at once."""
    if name == "Twiml":
        return "<Response/>"
    return _TOKEN.sub("?o=t", _SID.sub(lambda found: found[1] + "0" * 32, value))


def _twiml(text: str) -> list[str]:
    return twiml_faults(text) + (["Twiml is too long"] if len(text) > _LONGEST_TWIML else [])


@lru_cache(maxsize=4096)
def _faults(method: str, path_qs: str, fields: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    url = urlsplit(path_qs)
    name = _name(url.path)
    query = parse_qsl(url.query, keep_blank_values=True)
    operation = _operation(name, method, url.path)
    if operation is None:
        return (f"{method} {url.path}: there is no such thing",)
    asked = _request(method, path_qs, fields)
    found = []
    try:
        _api(name).validate_request(asked)
    except OpenAPIError as error:
        found.append(f"{error}: {error.__cause__}")
    known = {
        one["name"]: one["schema"]
        for one in operation.get("parameters", [])
        if one["in"] == "query"
    }
    return (*found, *_own(known, query), *_own(_form(operation), fields))


def _own(known: Mapping[str, Any], fields: Fields) -> list[str]:
    """What the validator lets through: names it does not know, empty values, one name twice."""
    found, seen = [], set()
    for name, value in fields:
        schema = known.get(name)
        if schema is None:
            found.append(f"{name} is no field of this request")
            continue
        if not value:
            found.append(f"{name} is empty")
        if name in seen and (schema.get("type") != "array" or (name, value) in seen):
            found.append(f"{name} is there twice")
        if name == "StatusCallbackEvent" and value not in EVENTS:
            found.append(f"StatusCallbackEvent {value!r} is no event of a call")
        seen |= {name, (name, value)}
    return found


EVENTS = frozenset({"initiated", "ringing", "answered", "completed"})
"""`call_enum_event` of the document, which does not say that `StatusCallbackEvent` is made of them."""


def answer_faults(method: str, path_qs: str, fields: Fields, status: int, body: Any) -> list[str]:
    """What is wrong with an answer that a test gives in Twilio's place."""
    if not there():
        return []
    asked = _request(method.lower(), path_qs, fields)
    answer = MockResponse(json.dumps(body).encode(), status, content_type=_JSON)
    try:
        _api(_name(urlsplit(path_qs).path)).validate_response(asked, answer)
    except OpenAPIError as error:
        return [f"{error}: {error.__cause__}"]
    return []


def example(method: str, path_qs: str) -> tuple[int, Any]:
    """Status and body that the document gives as an example of a good answer; the longest of them."""
    path = urlsplit(path_qs).path
    operation = _operation(_name(path), method.lower(), path) or {}
    for status, response in operation.get("responses", {}).items():
        if status.startswith("2"):
            examples = response.get("content", {}).get(_JSON, {}).get("examples", {})
            values = [one["value"] for one in examples.values()]
            return int(status), max(values, key=lambda one: len(str(one)), default={})
    raise AssertionError(f"{method} {path}: the document has no answer")


def _request(method: str, path_qs: str, fields: Fields) -> MockRequest:
    url = urlsplit(path_qs)
    host = "https://api.twilio.com" if _name(url.path).startswith("twilio_api") else "https://voice.twilio.com"  # fmt: skip
    return MockRequest(
        host,
        method,
        url.path,
        args=dict(parse_qsl(url.query, keep_blank_values=True)),
        headers={"Authorization": "Basic eDp5"},
        data=urlencode(list(fields)).encode() if method == "post" else b"",
        content_type=_FORM if method == "post" else "",
    )


def _name(path: str) -> str:
    return "twilio_api_v2010.json" if path.startswith("/2010-04-01") else "twilio_voice_v1.json"


def _operation(name: str, method: str, path: str) -> dict[str, Any] | None:
    for template, item in _document(name)["paths"].items():
        if method in item and _pattern(template).fullmatch(path):
            return {
                **item[method],
                "parameters": [*item.get("parameters", []), *item[method].get("parameters", [])],
            }
    return None


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)))


def _form(operation: Mapping[str, Any]) -> Mapping[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get(_FORM, {})
    found: Mapping[str, Any] = body.get("schema", {}).get("properties", {})
    return found


if __name__ == "__main__":
    sys.stdout.write(f"{fetch()}\n")
