"""Which files a worker gets together, and in which order; see `tests.longest_first`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.longest_first import LongestFirst, Seconds


def pytest_configure(config: pytest.Config) -> None:
    """Note what each file takes, where several run beside each other."""
    if getattr(config.option, "dist", "") == "loadfile" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Seconds(config))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """The scheduler of ``--dist loadfile``; None for any other, which pytest-xdist makes itself."""
    return LongestFirst(config, log) if config.getvalue("dist") == "loadfile" else None
