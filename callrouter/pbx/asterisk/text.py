"""Text from outside made fit for an Originate: a caller's name, number, a channel variable.

Everything here is pure. `wire.guard` would refuse control characters anyway; these helpers see to
it that a call is placed with a cleaned name rather than refused for a strange one.
"""

import re
import unicodedata

from callrouter.model.numbers import withheld
from callrouter.pbx.asterisk.errors import AmiBadValue

_NAME_DROPPED = frozenset('"\\<>')
_NAME_BYTES = 200
_NUMBER_DROPPED = re.compile(r"[^0-9A-Za-z+*#._-]")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\([A-Za-z0-9_,-]*\))?", re.ASCII)
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9_.:/@+*#-]*", re.ASCII)
_UNQUOTABLE = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')


def clean_name(raw: str, limit: int = 80) -> str:
    r"""A caller's name, safe between the quotes of `CallerID: "name" <number>`.

    Any white space, line ends and U+2028 included, becomes a single blank. Dropped are double
    quotes, backslashes, angle brackets, and what cannot be seen: control and format characters
    (zero width, changes of direction), private use, surrogates.

    Args:
        raw: the name as the network or a phone gave it.
        limit: most characters. In UTF-8 the result has 200 bytes at most besides.
    """
    start = raw[:2000]  # a hostile megabyte is not worth looking through
    words = "".join(" " if c.isspace() else c for c in start if _shown(c)).split()
    name = " ".join(words)[: max(limit, 0)]
    return name.encode()[:_NAME_BYTES].decode("utf-8", "ignore").rstrip()


def _shown(char: str) -> bool:
    if char in _NAME_DROPPED:
        return False
    return char.isspace() or unicodedata.category(char)[0] != "C"


def clean_number(raw: str) -> str:
    """A caller's number, safe in `CallerID: "name" <number>`; empty for a withheld one (`model.numbers`).

    Kept are `0-9 A-Z a-z + * # . _ -` (an internal caller may be a SIP user's name), 64 characters
    at most. A leading `sip:`, `sips:` or `tel:` goes, and all from the first `@` or `;` on.
    """
    if withheld(raw):
        return ""
    user = re.split("[@;]", raw.strip(), maxsplit=1)[0]
    user = re.sub(r"^<?(sips?|tel):", "", user, flags=re.IGNORECASE)
    return _NUMBER_DROPPED.sub("", user)[:64]


def variable(name: str, value: str) -> str:
    r"""The value of one `Variable:` header that sets exactly one channel variable.

    Asterisk splits that header at commas, so `MOBILE=1,X=2` sets two variables. A value outside
    a small alphabet is therefore put in double quotes, which keep it whole; what quotes do not
    hold (a quote, a backslash, control characters) is refused.

    Args:
        name: a variable, `__CR_OFFER`, or a function, `CALLERID(name)`.
        value: its value; may be empty.

    Raises:
        AmiBadValue: the name is no variable's name, or the value cannot be quoted.
    """
    if not _VARIABLE.fullmatch(name):
        raise AmiBadValue(f"{name!r:.80} is no name of a channel variable")
    if _PLAIN_VALUE.fullmatch(value):
        return f"{name}={value}"
    if _UNQUOTABLE.search(value):
        raise AmiBadValue(f"variable {name}: a quote, backslash or control character in its value")
    return f'{name}="{value}"'
