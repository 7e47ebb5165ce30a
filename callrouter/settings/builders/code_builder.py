"""The feature codes, where a site has changed them."""

from __future__ import annotations

from callrouter.model.ivr import PhoneCodes
from callrouter.settings.errors.problems import quoted
from callrouter.settings.schema.options import spec_values
from callrouter.settings.schema.root_options import RootOptions
from callrouter.settings.yaml.source import Document


def build_codes(root: RootOptions, document: Document) -> PhoneCodes:
    """Build the codes; two that cannot be told apart are reported."""
    if root.codes is None:
        return PhoneCodes()
    written = spec_values(root.codes)
    codes = {name: "" if code == "none" else code for name, code in written.items()}
    taken: dict[str, str] = {}
    for name, code in codes.items():
        if code in taken:
            text = f"{name}: {quoted(code)} is {taken[code]}'s already"
            document.error(("codes", name), text, "give each a code of its own")
        elif code and code[:-1] and code[:-1] == codes["pause"] and code[-1] in "123456789":
            text = f"{name}: {quoted(code)} is a pause for the reason of that digit"
            document.error(("codes", name), text, "give each a code of its own")
        elif code:
            taken[code] = name
    return PhoneCodes(**codes)
