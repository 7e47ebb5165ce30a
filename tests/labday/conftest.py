from __future__ import annotations

import asyncio

import pytest

from callrouter.lab import Install, find_asterisk


@pytest.fixture(scope="session")
def install() -> Install:
    return asyncio.run(find_asterisk(print))
