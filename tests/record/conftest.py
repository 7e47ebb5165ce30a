from __future__ import annotations

from tests.store.conftest import clock, place, server, tried

__all__ = ["clock", "place", "server", "tried"]
