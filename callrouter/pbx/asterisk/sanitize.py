"""Makes text from outside fit for an Originate: a caller's name, number, a channel variable.

Pure functions. `wire.guard` would refuse control characters anyway; these functions make sure that
a call is placed with a cleaned name instead of being refused because of a strange one.
"""

import re
import unicodedata

from callrouter.model.phone_numbers import withheld
from callrouter.pbx.asterisk.ami import AmiBadValue

_NAME_DROPPED = frozenset('"\\<>')
_NAME_BYTES = 200
_NUMBER_DROPPED = re.compile(r"[^0-9A-Za-z+*#._-]")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\([A-Za-z0-9_,-]*\))?", re.ASCII)
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9_.:/@+*#-]*", re.ASCII)
_UNQUOTABLE = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')


def clean_name(raw: str, limit: int = 80) -> str:
    r"""A caller's name, safe between the quotes of `CallerID: "name" <number>`.

    Any white space, including line breaks and U+2028, becomes a single space. Double quotes,
    backslashes, angle brackets and invisible characters are dropped: control and format characters
    (zero width, changes of direction), private use, surrogates.

    Args:
        raw: the name as the network or a phone gave it.
        limit: maximum number of characters. The result is also limited to 200 bytes of UTF-8.
    """
    start = raw[:2000]  # a hostile megabyte is not worth scanning
    words = "".join(" " if c.isspace() else c for c in start if _shown(c)).split()
    name = " ".join(words)[: max(limit, 0)]
    return name.encode()[:_NAME_BYTES].decode("utf-8", "ignore").rstrip()


def _shown(char: str) -> bool:
    if char in _NAME_DROPPED:
        return False
    return char.isspace() or unicodedata.category(char)[0] != "C"


def clean_number(raw: str) -> str:
    """A caller's number, safe in `CallerID: "name" <number>`.

    The result is "" for a withheld number (`model.phone_numbers`). It keeps `0-9 A-Z a-z + * # . _
    -` (an internal caller may be a SIP user's name), at most 64 characters. A leading `sip:`,
    `sips:` or `tel:` is removed, and so is everything from the first `@` or `;`.
    """
    if withheld(raw):
        return ""
    user = re.split("[@;]", raw.strip(), maxsplit=1)[0]
    user = re.sub(r"^<?(sips?|tel):", "", user, flags=re.IGNORECASE)
    return _NUMBER_DROPPED.sub("", user)[:64]


def variable(name: str, value: str) -> str:
    r"""The value of a `Variable:` header that sets exactly one channel variable.

    Asterisk splits that header at commas, so `MOBILE=1,X=2` sets two variables. A value outside a
    small alphabet is therefore put in double quotes, which keep it whole. A value that quotes
    cannot hold (a quote, a backslash, control characters) is refused.

    Args:
        name: a variable, `__CR_OFFER`, or a function, `CALLERID(name)`.
        value: its value; may be empty.

    Raises:
        AmiBadValue: the name is not a variable's name, or the value cannot be quoted.
    """
    if not _VARIABLE.fullmatch(name):
        raise AmiBadValue(f"{name!r:.80} is no name of a channel variable")
    if _PLAIN_VALUE.fullmatch(value):
        return f"{name}={value}"
    if _UNQUOTABLE.search(value):
        raise AmiBadValue(f"variable {name}: a quote, backslash or control character in its value")
    return f'{name}="{value}"'
