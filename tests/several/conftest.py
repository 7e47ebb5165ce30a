from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

import pytest

from callrouter.lab import Install, find_asterisk


@pytest.fixture(scope="session")
def install() -> Install:
    return asyncio.run(find_asterisk(print))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    here = getattr(item, "funcargs", {}).get("here")
    if report.failed and here is not None:
        report.sections.append(("what happened", "\n".join(here.trace)))
    return report
