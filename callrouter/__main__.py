"""`python -m callrouter`.

It is the same as the command ``callrouter``.
"""

from callrouter.cli.main import main

if __name__ == "__main__":
    main()
