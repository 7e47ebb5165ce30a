"""The formats that are files, each with what it needs: CSV, a workbook, a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from callrouter.reports.formats.plot import to_png
from callrouter.reports.formats.report_csv import to_csv
from callrouter.reports.formats.workbook import to_xlsx
from callrouter.reports.report import Report
from callrouter.settings import extras


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A format of a report that is a file.

    Attributes:
        name: also the ending of such files.
        media: its media type.
        make: makes the content; blocks. Raises ValueError if the report cannot be had in it.
        module: what must be installed for it, of the extra ``reports``; empty: nothing.
    """

    name: str
    media: str
    make: Callable[[Report], bytes]
    module: str = ""

    def lacks(self) -> str:
        """Return what is missing for it and how to install it, in a sentence; empty: nothing."""
        if not self.module or find_spec(self.module) is not None:
            return ""
        return (
            f"{self.name} needs {self.module}, which is not installed here; install the extra "
            f"'reports': {extras.remedy('reports')}"
        )


def _csv(report: Report) -> bytes:
    return to_csv(report).encode("utf-8", "replace")


FILE_FORMATS: Final[Mapping[str, FileFormat]] = {
    item.name: item
    for item in (
        FileFormat("csv", "text/csv", _csv),
        FileFormat(
            "xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            to_xlsx,
            "xlsxwriter",
        ),
        FileFormat("png", "image/png", to_png, "matplotlib"),
    )
}
"""By name."""
