"""Phone numbers in canonical form: E.164 with a ``+``, however they were written.

Pure and fast, since it runs for every call. The numbering plan of a country is data (`Numbering`),
which the settings take from the `phonenumbers` library. Anything that is not a phone number (an
extension, a SIP user name) is left as it is. Text from outside may contain anything, and is cut to
a limited length before it is parsed.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

WITHHELD: Final = "withheld"
"""How a rule refers to callers who withhold their number."""

_LONGEST: Final = 64
_SCHEME: Final = re.compile(r"\s*(?:\"[^\"]*\"\s*)?<?(?:sips?|tel|callto):", re.IGNORECASE)
_NOISE: Final = re.compile(
    r"[\s().\-/\u2010-\u2015\u2212\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]+"
)
_NOT_DIALLED: Final = re.compile(r"\(\s*0\s*\)")
_DIGITS: Final = re.compile(r"[0-9]+")
E164: Final = re.compile(r"\+[1-9][0-9]{5,14}")
"""A number in E.164 form: at most 15 digits, and no country code begins with 0 (ITU-T E.164). Whole
numbers with fewer than 6 digits do not occur.
"""
_ABROAD: Final = "00"
"""The international prefix of nearly every country; understood in all of them."""
_SHORTEST_BARE: Final = 9
"""Fewest digits of a national number without its trunk prefix, in a country that has one.

Fewer may be an extension.
"""
_SHORTEST_NATIONAL: Final = 7
_LONGEST_NUMBER: Final = 15
_SHORTEST_FOREIGN: Final = 11
"""Fewest digits of a foreign number written without + or 00."""


def _plain(text: str) -> str:
    """Text without accents, in lower case."""
    split = unicodedata.normalize("NFKD", text)
    return "".join(c for c in split if not unicodedata.combining(c)).casefold()


def _words(text: str) -> frozenset[str]:
    return frozenset(_plain(text).split())


_CODES: Final = _words(
    "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 "
    "84 86 90 91 92 93 94 95 98 211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 "
    "235 236 237 238 239 240 241 242 243 244 245 246 247 248 249 250 251 252 253 254 255 256 257 258 260 261 262 "
    "263 264 265 266 267 268 269 290 291 297 298 299 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 "
    "375 376 377 378 379 380 381 382 383 385 386 387 389 420 421 423 500 501 502 503 504 505 506 507 508 509 590 "
    "591 592 593 594 595 596 597 598 599 670 672 673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 "
    "690 691 692 850 852 853 855 856 880 886 960 961 962 963 964 965 966 967 968 970 971 972 973 974 975 976 977 "
    "979 992 993 994 995 996 998 "
)
"""Country calling codes (ITU-T E.164, list of assigned codes)."""

_NO_NUMBER: Final = frozenset({"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"})
"""Words keyed on a telephone keypad, which Twilio shows in place of a number.

They spell ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN and UNAVAILABLE.
"""


_WORDS: Final = _words(
    "anonymous anonym anonyme anonimo anonimous anoniem anonymni anonimowy anonimno anonymus anonymt nimeton "
    "asterisk blocked restricted private privat privado privato prive privada privata prywatny prywatne soukrome "
    "withheld hidden undisclosed unlisted suppressed concealed unavailable unknown unidentified unspecified none "
    "null nobody noname nonumber nocallerid noid unbekannt unterdruckt unterdrueckt geheim verborgen onbekend "
    "afgeschermd inconnu masque cache secret desconocido oculto escondido bloqueado desconhecido sconosciuto "
    "nascosto riservato nieznany ukryty zastrzezony okand hemligt dolt skjult ukjent ukendt hemmeligt tuntematon "
    "salainen neznamy skryte ismeretlen rejtett necunoscut ascuns bilinmeyen gizli outofarea notavailable "
    "unbekannter unbekannte anonymer privater unterdruckte privatnummer nichtverfugbar nichtubermittelt keine "
    "sans sin disponible nondisponible nondisponibile noncommunique indisponible na sem "
    "notprovided withheldnumber p o аноним анонимный неизвестный скрыт скрытый закрыт 匿名 非通知 表示圏外 公衆電話 未知 未知号码 私人号码 "
)
_FILLERS: Final = _words(
    "number numbers no nr num caller callers call calls id cid cli name user line the from party nummer rufnummer "
    "anruf anrufer teilnehmer numero nombre nome appel appelant chiamata chiamante llamada chamada numer oproep "
    "beller номер "
)


def withheld(text: str) -> bool:
    """Whether a caller ID, as given by a network or phone, says that the number is withheld.

    That is an ID that is empty or all zeros, one of many words for it in many languages, the ``P`` or
    ``O`` (private, out of area) of an analogue line (Telcordia GR-31), Asterisk's placeholder
    (``asterisk``), a number that some networks send in place of such a word, or SIP's
    ``anonymous.invalid``.
    """
    text = text[: 4 * _LONGEST]
    if "anonymous.invalid" in text.lower():
        return True
    user = _user(text)
    bare = _NOISE.sub("", user)
    if not bare.strip("+0"):
        return True
    if bare.lstrip("+").isdigit():
        return bare in _NO_NUMBER
    return _is_word(user)


@lru_cache(maxsize=1024)
def _is_word(text: str) -> bool:
    plain = _plain(text)
    words = re.findall(r"[^\W\d_]+", plain)
    if re.search(r"\d", plain) or not words:
        return False
    said = [word for word in words if word not in _FILLERS]
    return (
        "".join(words) in _WORDS
        or "".join(said) in _WORDS
        or (bool(said) and all(word in _WORDS for word in said))
    )


def _user(text: str) -> str:
    """The user part of an address: without scheme, display name, host and parameters.

    Empty if there is none.
    """
    found = _SCHEME.match(text)
    rest = text[found.end() :] if found is not None else text
    return re.split("[@;>]", rest, maxsplit=1)[0].strip(" <\t\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbering:
    """The home country, for numbers written without a country code; empty if there is none.

    `code` is its calling code. `trunk` is the national trunk prefix (``0``; empty: none). `abroad`
    is a pattern of the international prefix. `national` is a pattern of a national number without
    `trunk`.
    """

    region: str = ""
    code: str = ""
    trunk: str = ""
    abroad: str = _ABROAD
    national: str = ""

    def form(self, text: str) -> str:
        """The canonical form: E.164 with a ``+``, or `text` if not a number; empty if withheld.

        Text that is not a number loses scheme, display name and host, and is cut to 64 characters.
        """
        if E164.fullmatch(text) and not self._doubled(text) and text not in _NO_NUMBER:
            return text  # as nearly every trunk writes it
        if withheld(text):
            return ""
        user = _user(text[: 4 * _LONGEST])
        if "+" in user or user.startswith(_ABROAD):
            user = _NOT_DIALLED.sub("", user)
        plain = _NOISE.sub("", user)[:_LONGEST]
        digits = plain.removeprefix("+")
        if not _DIGITS.fullmatch(digits):
            return user[:_LONGEST]
        number = self._abroad(digits) if plain.startswith("+") else self._of(digits)
        if number in _NO_NUMBER or (
            not number and len(digits) >= _SHORTEST_BARE and f"+{digits}" in _NO_NUMBER
        ):
            return ""
        return number or plain

    def _doubled(self, number: str) -> bool:
        """Whether a trunk prefix follows the home country's code, as in ``+44 (0)20``."""
        return bool(self.trunk) and number.startswith(f"+{self.code}{self.trunk}")

    def _abroad(self, digits: str) -> str:
        """Digits that begin with a country code, in canonical form; empty if not a number."""
        if self._doubled(f"+{digits}"):
            rest = digits[len(self.code) + len(self.trunk) :]
            if self._fits(rest):
                digits = self.code + rest
        return f"+{digits}" if E164.fullmatch(f"+{digits}") else ""

    def _of(self, digits: str) -> str:
        """Digits without a +, in canonical form; empty if they can't be read as a number."""
        ahead = _prefix(self.abroad, digits) or _prefix(_ABROAD, digits)
        if ahead and digits[ahead : ahead + 1] not in {"", "0"}:
            found = self._abroad(digits[ahead:])
            if found:
                return found
        # Last, a foreign number without a prefix: only its country code and length give it away.
        return self._at_home(digits) or _foreign(digits)

    def _at_home(self, digits: str) -> str:
        """A national number, or one with the home country's code and no +.

        Empty if it is neither, or if there is no home country.
        """
        if not self.code:
            return ""
        if self.trunk and digits.startswith(self.trunk):
            rest = digits[len(self.trunk) :]
            if self._fits(rest):
                return f"+{self.code}{rest}"
        if self.trunk in {"", self.code}:  # national numbers are written bare there
            return self._bare(digits, _SHORTEST_NATIONAL) or self._with_code(digits)
        return self._with_code(digits) or self._bare(digits, _SHORTEST_BARE)

    def _bare(self, digits: str, shortest: int) -> str:
        long_enough = len(digits) >= shortest or digits.startswith("0")
        return f"+{self.code}{digits}" if long_enough and self._fits(digits) else ""

    def _with_code(self, digits: str) -> str:
        if not digits.startswith(self.code):
            return ""
        national = digits[len(self.code) :]
        if self.trunk and not self._fits(national):
            national = national.removeprefix(self.trunk)
        fits = len(national) >= _SHORTEST_NATIONAL and self._fits(national)
        return f"+{self.code}{national}" if fits else ""

    def _fits(self, national: str) -> bool:
        return re.fullmatch(self.national, national) is not None if self.national else False

    @property
    def abroad_digits(self) -> str:
        """The international prefix if it is a fixed one, otherwise ``00``.

        It is for the dialplan, which cannot use a pattern.
        """
        return self.abroad if _DIGITS.fullmatch(self.abroad) else _ABROAD

    def prefixes(self, digits: str) -> tuple[str, ...]:
        """The canonical forms of the beginning of a number; the most literal one first.

        There are one or two. A second one means that the digits may also begin an extension. Empty
        digits stay empty.
        """
        ahead = _prefix(self.abroad, digits) or _prefix(_ABROAD, digits)
        if digits.startswith("+") or not digits:
            return (digits,)
        if ahead:
            return (f"+{digits[ahead:]}",)
        if self.code and self.trunk and self.trunk != self.code and digits.startswith(self.trunk):
            return (f"+{self.code}{digits[len(self.trunk) :]}",)
        if self.code and digits.startswith(self.code) and len(digits) > len(self.code):
            return (digits, f"+{digits}")
        if self.code and len(digits) > 2 and self.trunk in {"", self.code}:
            return (digits, f"+{self.code}{digits}")
        return (digits,)


NOWHERE: Final = Numbering()
"""No home country: only international numbers are recognised."""


def _prefix(pattern: str, digits: str) -> int:
    found = re.match(pattern, digits) if pattern else None
    return found.end() if found is not None else 0


def _foreign(digits: str) -> str:
    """A foreign number without a +, if it has too many digits to be anything else.

    Empty otherwise. It must begin with a country code that is assigned.
    """
    known = any(digits[:length] in _CODES for length in (1, 2, 3))
    if known and _SHORTEST_FOREIGN <= len(digits) <= _LONGEST_NUMBER:
        return f"+{digits}"
    return ""
