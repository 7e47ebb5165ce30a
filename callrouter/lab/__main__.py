"""`python -m callrouter.lab`: find or build the laboratory's Asterisk, and print it.

Run before the tests, it spares them the wait for the download.
"""

import asyncio
import sys

from callrouter.lab.install import NoAsteriskError, find_asterisk


def main() -> int:
    """Return the exit status: 0 if there is an Asterisk now, 1 if not.

    A missing Asterisk is explained on stderr, progress and the result on stdout.
    """
    try:
        install = asyncio.run(find_asterisk(lambda line: print(line, flush=True)))
    except NoAsteriskError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Asterisk {install.version} ({install.origin})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
