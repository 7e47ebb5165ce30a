"""The daemon: assembles all parts into one process."""

from callrouter.daemon.main import run

__all__ = ["run"]
