"""The files shipped with callrouter for users to include or copy.

An installed copy has them in ``callrouter/shipped``; in the source tree they lie beside the
package.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def folder(name: str) -> Path:
    """The directory `dialplan` or `config`, of an installed copy or of the source tree.

    Raises:
        FileNotFoundError: the installation is damaged.
    """
    for place in (_HERE / "shipped" / name, _HERE.parent / name):
        if place.is_dir():
            return place
    raise FileNotFoundError(
        f"callrouter's {name} folder is missing beside {_HERE}: install it again"
    )
