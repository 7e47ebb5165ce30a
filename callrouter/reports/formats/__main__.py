"""Makes a file of a report in a process of its own, beside a daemon that must not be held up.

``python -m callrouter.reports.formats png`` reads the JSON of a report and writes the file. A report
that cannot be had in the format ends it with status 2 and a sentence on the standard error output.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress

from callrouter.reports.formats.file_formats import FILE_FORMATS
from callrouter.reports.formats.report_json import from_json


def main() -> None:
    """Read, make and write.

    Raises:
        SystemExit: the report cannot be had in the format.
    """
    with suppress(OSError):  # a service manager may forbid it
        os.nice(10)
    try:
        content = FILE_FORMATS[sys.argv[1]].make(from_json(json.load(sys.stdin.buffer)))
    except ValueError as error:
        sys.stderr.write(str(error))
        sys.exit(2)
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
