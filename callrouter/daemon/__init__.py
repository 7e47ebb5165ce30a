"""The daemon: where everything is put together."""

from callrouter.daemon.main import run

__all__ = ["run"]
