"""Builds the telephone systems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from callrouter.model import endpoints
from callrouter.model.ivr import PhoneCodes
from callrouter.model.phone_numbers import NOWHERE, Numbering
from callrouter.model.text import Phrase, phrase, sentence_of
from callrouter.settings import extras
from callrouter.settings.builders.build_context import warn_of_missing_file
from callrouter.settings.errors.problems import quoted
from callrouter.settings.loaded import (
    AsteriskSettings,
    PbxSettings,
    SimulatedSettings,
    TwilioSettings,
)
from callrouter.settings.schema.number_parsing import numbering
from callrouter.settings.schema.options import spec_values
from callrouter.settings.schema.pbx_options import (
    AsteriskOptions,
    SimulatedOptions,
    TlsClientOptions,
    TwilioOptions,
)
from callrouter.settings.schema.root_options import (
    RootOptions,
)
from callrouter.settings.yaml.source import Document, KeyPath

_PLACE: Final = "{number}"
_SAMPLE: Final = "447700900123"
"""Stands for the number while a dial string is checked."""


def with_codes(pbxes: dict[str, PbxSettings], codes: PhoneCodes) -> dict[str, PbxSettings]:
    """Give the codes to PBXes that handle them themselves; Asterisk has them in its dialplan.

    The result is a new mapping in the same order.
    """
    return {
        id_: replace(pbx, phone_codes=codes) if isinstance(pbx, TwilioSettings) else pbx
        for id_, pbx in pbxes.items()
    }


def build_pbxes(root: RootOptions, document: Document, folder: Path) -> dict[str, PbxSettings]:
    """Build the PBXes.

    Args:
        root: The options.
        document: Receives what is inconsistent, and that there is no PBX.
        folder: The folder to which paths are relative.
    """
    if document.knows_all_names("pbx") and not document.names("pbx"):
        document.error(
            ("pbx",),
            phrase("no-pbx-configured", "no pbx is configured"),
            phrase("add-section-pbx", "add a section 'pbx:'"),
            key=True,
        )
    site = (root.http.public_url or "") if root.http is not None else ""
    home = numbering((root.numbers.region if root.numbers is not None else None) or "")
    queue_log = root.queue_log in {"asterisk", "both"}
    return {
        id_: _pbx(id_, pbx, document, folder, site, home=home, queue_log=queue_log)
        for id_, pbx in root.pbx.items()
    }


def _dial_strings(id_: str, pbx: AsteriskOptions, document: Document) -> list[str]:
    """Return the dial strings for outside numbers, with Asterisk's spelling of the technologies.

    One that Asterisk cannot dial is reported.
    """
    one = isinstance(pbx.dial_number, str)
    written = [pbx.dial_number] if isinstance(pbx.dial_number, str) else pbx.dial_number or []
    found = []
    for place, text in enumerate(written):
        try:
            spelled = endpoints.read(text.replace(_PLACE, _SAMPLE)).text
        except ValueError as fault:
            path: KeyPath = ("pbx", id_, "dial_number")
            said = address_fault(text, _with_field(sentence_of(fault)))
            document.error(path if one else (*path, place), said)
            found.append(text)
        else:
            tech = spelled.partition("/")[0]
            found.append(f"{tech}/{text.partition('/')[2]}")
    return found


def address_fault(written: str, fault: str) -> str:
    """Say what is wrong with an address as it was written; `fault` is of `model.endpoints`."""
    return phrase("address-fault", "{written} {fault}", written=quoted(written), fault=fault)


def _with_field(fault: str) -> str:
    """Return a fault with the field for the number in place of the sample that was read."""
    if not isinstance(fault, Phrase):
        return fault.replace(_SAMPLE, _PLACE)
    values = {
        name: value.replace(_SAMPLE, _PLACE) if isinstance(value, str) else value
        for name, value in fault.values.items()
    }
    return Phrase(fault.replace(_SAMPLE, _PLACE), fault.code, **values)


def _number_format(
    id_: str, pbx: AsteriskOptions, dial_strings: list[str], home: Numbering, document: Document
) -> None:
    """Report a number format that is impossible, or that a dial string already includes.

    Impossible are one without `dial_number`, and ``national`` without a home country.
    """
    path = ("pbx", id_, "number_format")
    if "number_format" in pbx.model_fields_set and not dial_strings:
        document.error(
            path,
            phrase("number-format-without-dial-number", "number_format without dial_number"),
            phrase("no-outside-number-dialled", "no outside number is dialled"),
        )
    if pbx.number_format == "national" and not home.code:
        hint = phrase("such-as-numbers-region-gb", "such as numbers: {{region: GB}}")
        document.error(
            path,
            phrase(
                "number-format-national-needs-numbers-region",
                "number_format: national needs numbers.region",
            ),
            hint,
        )
    begins = {"plus": "+{number}", "00": "00{number}"}.get(pbx.number_format)
    for text in dial_strings:
        if begins is not None and begins in text:
            document.error(
                path,
                phrase(
                    "in-dial-number-writes-twice",
                    "{begins} in dial_number writes it twice",
                    begins=begins,
                ),
                phrase("take-one-them-out", "take one of them out"),
            )


def _pbx(
    id_: str,
    pbx: AsteriskOptions | TwilioOptions | SimulatedOptions,
    document: Document,
    folder: Path,
    site: str,
    *,
    home: Numbering,
    queue_log: bool,
) -> PbxSettings:
    if isinstance(pbx, SimulatedOptions):
        return SimulatedSettings(id=id_, **spec_values(pbx))
    if isinstance(pbx, TwilioOptions):
        return _twilio(id_, pbx, document, site)
    dial_strings = _dial_strings(id_, pbx, document)
    _number_format(id_, pbx, dial_strings, home, document)
    if pbx.show == "business" and pbx.caller_id is None:
        text = phrase("show-business-without-caller-id", "show: business without caller_id")
        document.error(
            ("pbx", id_, "show"),
            text,
            phrase(
                "give-caller-id-such-as-442079460000", 'give caller_id, such as "+442079460000"'
            ),
            key=True,
        )
    ca = folder / pbx.tls.ca if isinstance(pbx.tls, TlsClientOptions) else None
    if ca is not None:
        warn_of_missing_file(document, ("pbx", id_, "tls", "ca"), ca)
    values = spec_values(
        pbx,
        dial_number=dial_strings[0] if dial_strings else "",
        dial_numbers=tuple(dial_strings[1:]),
        home=home if pbx.number_format == "national" else NOWHERE,
        tls=pbx.tls is not False,
        ca=ca,
    )
    return AsteriskSettings(id=id_, queue_log=queue_log, **values)


def _twilio(id_: str, pbx: TwilioOptions, document: Document, site: str) -> TwilioSettings:
    path = ("pbx", id_)
    if lack := extras.lacks("twilio"):
        text = phrase("driver-twilio-needs", "driver twilio needs {lack}", lack=lack)
        document.error((*path, "driver"), text, extras.remedy("twilio"))
    if not pbx.public_url and not site.startswith("https://"):
        text = phrase("has-no-public-url", "{id} has no 'public_url'", id=id_)
        hint = phrase(
            "how-twilio-reaches-us-such-as",
            "how Twilio reaches us, such as https://calls.example.com, here or under http",
        )
        document.error(path, text, hint, key=True)
    if (pbx.api_key is None) != (pbx.api_secret is None):
        there, other = ("api_key", "api_secret") if pbx.api_key else ("api_secret", "api_key")
        document.error(
            (*path, there),
            phrase("without", "{there} without {other}", there=there, other=other),
            phrase("give-both-or-none", "give both, or none"),
            key=True,
        )
    if not pbx.numbers:
        text = phrase("numbers-empty-so-no-calls-come", "numbers is empty, so no calls come in")
        document.warning(
            (*path, "numbers"),
            text,
            phrase("such-as-442079460000-support", 'such as {{"+442079460000": support}}'),
            key=True,
        )
    if pbx.codes in pbx.numbers:
        text = phrase(
            "codes-number-queue-already",
            "codes is a number of queue {numbers} already",
            numbers=quoted(pbx.numbers[pbx.codes]),
        )
        document.error(
            (*path, "codes"),
            text,
            phrase("give-agents-number-their-own", "give agents a number of their own"),
            key=True,
        )
    public_url = (pbx.public_url or site).rstrip("/")
    values = spec_values(pbx, public_url=public_url, api_url=pbx.api_url.rstrip("/"))
    return TwilioSettings(id=id_, **values)


def dials_numbers(pbx: PbxSettings) -> bool:
    """Return whether a PBX can ring outside numbers.

    An Asterisk can with a `dial_number`; Twilio and the simulated PBX always can.
    """
    return not isinstance(pbx, AsteriskSettings) or bool(pbx.dial_number)


def dialling_pbxes(pbxes: Mapping[str, PbxSettings]) -> tuple[str, ...]:
    """Return the PBXes that can ring outside numbers, by name, in the order of the configuration."""
    return tuple(name for name, pbx in pbxes.items() if dials_numbers(pbx))
