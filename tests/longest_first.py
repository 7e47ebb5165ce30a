"""Files of tests side by side: those that share a browser stay together, and the longest come first.

pytest-xdist starts with the files of most tests. A file of few long tests may then come last, and one worker is busy with it
while the others have nothing to do. Here the order is by the seconds that a file took the last time, as pytest's cache has
them, or by `LONG` in a fresh copy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

KEPT = "callrouter/seconds"
SHOWN = 15
TOGETHER = {
    "tests/browser/test_tables": "tests/browser: common floor, files",
    "tests/browser/test_yaml_text": "tests/browser: common floor, files",
    "tests/browser/test_people": "tests/browser: common floor, files",
    "tests/browser/test_logging_in": "tests/browser: common floor, files",
    "tests/browser/test_cluster_page": "tests/browser: common floor, calls",
    "tests/browser/test_accessible": "tests/browser: common floor, calls",
    "tests/browser/test_cut_off": "tests/browser: common floor, calls",
    "tests/browser/test_floor": "tests/browser: common floor, calls",
    "tests/browser/test_colleague_asked": "tests/browser: common floor, calls",
    "tests/browser/": "tests/browser: own floors",
}
"""Units of work of more than one file, by how the files' names begin: each starts a browser, and perhaps a floor, once."""
BROWSERS = 2
"""Units with a browser that run at the same time: each of them alone can keep a processor busy."""
LONG = dict.fromkeys(TOGETHER.values(), 300.0) | dict.fromkeys(
    (
        "tests/mixed/test_mixed_pool.py",
        "tests/mixed/test_cloud_alone.py",
        "tests/outbox/test_killed.py",
        "tests/outbox/test_alarms.py",
        "tests/cluster/test_real_calls.py",
        "tests/cluster/test_keeper.py",
        "tests/several/test_several_asterisks.py",
        "tests/daemon/test_lost_files.py",
        "tests/asterisk/test_take_over.py",
        "tests/asterisk/test_codes.py",
        "tests/asterisk/test_injection.py",
        "tests/asterisk/test_edits.py",
        "tests/asterisk/test_beside_app_queue.py",
        "tests/asterisk/test_killed.py",
        "tests/asterisk/test_gone.py",
        "tests/asterisk/test_away.py",
        "tests/asterisk/test_doctor.py",
        "tests/asterisk/test_login_check.py",
        "tests/asterisk/test_lost_files.py",
        "tests/asterisk/test_own_mobiles.py",
        "tests/asterisk/test_toll_fraud.py",
        "tests/asterisk/test_flood.py",
        "tests/asterisk/test_a_day.py",
        "tests/asterisk/test_without_database.py",
        "tests/asterisk/test_tried_before.py",
        "tests/asterisk/test_told_elsewhere.py",
        "tests/asterisk/test_hanging_up.py",
        "tests/daemon/test_misfortunes.py",
        "tests/daemon/test_disclosure.py",
        "tests/record/test_random_histories.py",
        "tests/cli/test_install.py",
        "tests/cli/test_elsewhere.py",
        "tests/bench/test_run.py",
        "tests/bench/test_hostile.py",
        "tests/bench/test_million_calls.py",
        "tests/fuzz/test_identities.py",
        "tests/labday/test_virtual_day.py",
        "tests/held/test_held.py",
        "tests/stories/test_stories.py",
        "tests/oidc/test_real_provider.py",
    ),
    100.0,
)
"""What is expected of units for which no time is known: of those that share a browser, and of files with tests that are
allowed more than a minute. Any other is taken for a second a test."""


def unit_of(nodeid: str) -> str:
    """The unit of work that a test belongs to: a file, or files that stay together."""
    file = nodeid.partition("::")[0]
    return next((unit for start, unit in TOGETHER.items() if file.startswith(start)), file)


def kept(config: pytest.Config) -> dict[str, float]:
    """The seconds that units took before, as far as that is known here."""
    known = config.pluginmanager.hasplugin("cacheprovider")
    return dict(config.cache.get(KEPT, {})) if known else {}


def longest(
    units: Mapping[str, int], known: Mapping[str, float], under_way: Collection[str] = ()
) -> str:
    """The unit to start now.

    Args:
        units: those that are left, and how many tests each has.
        known: the seconds that units took before.
        under_way: those that workers are busy with.
    """
    browsers = sum(unit in TOGETHER.values() for unit in under_way)
    fit = [unit for unit in units if browsers < BROWSERS or unit not in TOGETHER.values()]
    return max(fit or units, key=lambda unit: known.get(unit, LONG.get(unit, float(units[unit]))))


class LongestFirst(LoadFileScheduling):  # type: ignore[misc]
    """Hands out units of work, the longest first."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        self._known: dict[str, float] = kept(config)

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        left = {unit: len(tests) for unit, tests in self.workqueue.items()}
        under_way = [
            unit
            for units in self.assigned_work.values()
            for unit, tests in units.items()
            if not all(tests.values())
        ]
        self.workqueue.move_to_end(longest(left, self._known, under_way), last=False)
        super()._assign_work_unit(node)


class Seconds:
    """Adds up what each unit takes, keeps it for the next run, and prints the longest."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._taken: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add what a test, its set-up or its end took."""
        self._taken[unit_of(report.nodeid)] += report.duration  # type: ignore[assignment]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Keep and print it."""
        taken = {unit: round(seconds, 1) for unit, seconds in self._taken.items()}
        if self._config.pluginmanager.hasplugin("cacheprovider"):
            self._config.cache.set(KEPT, kept(self._config) | taken)
        items = sorted(taken.items(), key=lambda item: -item[1])[:SHOWN]
        terminalreporter.write_line(
            "longest: "
            + ", ".join(f"{unit.removeprefix('tests/')} {took:.0f} s" for unit, took in items)
        )
