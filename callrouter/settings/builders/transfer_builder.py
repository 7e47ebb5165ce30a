"""Builds which numbers outside callers may be passed on to."""

from __future__ import annotations

from typing import Final

from callrouter.mobiles.outside_numbers import beginning_fault
from callrouter.model.routing_table import NO_OUTSIDE, OutsideTransfers
from callrouter.model.text import phrase
from callrouter.settings.builders.build_context import BuildContext
from callrouter.settings.builders.pbx_builder import dials_numbers
from callrouter.settings.errors.hints import such_as
from callrouter.settings.errors.problems import quoted
from callrouter.settings.loaded import AsteriskSettings
from callrouter.settings.schema.options import spec_values
from callrouter.settings.schema.root_options import RootOptions

_SHORTEST: Final = 5.0
_LONGEST: Final = 120.0


def build_transfers(root: RootOptions, context: BuildContext) -> OutsideTransfers:
    """Build what is allowed of transfers to numbers outside.

    Without a section ``transfers`` no number is allowed. A beginning that no number has, or one of
    numbers that cost much, is an error. It is a warning that no PBX could dial the numbers.
    """
    transfers, document = root.transfers, context.document
    if transfers is None:
        return NO_OUTSIDE
    for index, begin in enumerate(transfers.outside):
        fault = beginning_fault(begin)
        if fault:
            text = phrase(
                "not-passed-on-to",
                "callers can't be passed on to {begin}: {fault}",
                begin=quoted(begin),
                fault=fault,
            )
            hint = phrase(
                "such-as-either", "such as {examples_or}", examples_or=('"+44"', '"+1 212"')
            )
            document.error(("transfers", "outside", index), text, hint)
    if not _SHORTEST <= transfers.ring_for <= _LONGEST:
        text = phrase("outside-rung-for", "a number outside is rung for 5s to 2m")
        document.error(("transfers", "ring_for"), text, such_as("30s"))
    dial = any(
        isinstance(pbx, AsteriskSettings) and dials_numbers(pbx) for pbx in context.pbxes.values()
    )
    if transfers.outside and context.pbxes and not dial:
        said = "no telephone system here can pass callers on to numbers outside"
        hint = phrase("asterisk-with-dial-number", "an Asterisk with dial_number can")
        path = ("transfers", "outside")
        document.warning(path, phrase("none-passes-outside", said), hint, key=True)
    allowed = tuple(dict.fromkeys(transfers.outside))
    return OutsideTransfers(**spec_values(transfers, allowed=allowed))
