"""A small configuration, and ways to load and to break it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from callrouter.settings import ConfigError, Problem, Settings, load

CONFIG = Path(__file__).parents[2] / "config"
POLICIES = frozenset(
    {"linear", "longest-idle", "priority", "random", "ring-all", "round-robin", "skills"}
)
ENVIRON = {"CALLROUTER_AMI_SECRET": "hunter-two"}

PBX = "pbx:\n  office: {driver: simulated}\n"
AGENTS = "agents:\n  alice: {devices: {desk: PJSIP/1001}}\n  bob: {devices: {desk: PJSIP/1002}}\n"
QUEUES = "queues:\n  support: {agents: [alice, bob]}\n"


def put(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, text in files.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def loaded(
    folder: Path,
    environ: Mapping[str, str] = ENVIRON,
    now: float | None = None,
    /,
    **files: str | bytes,
) -> Settings:
    """Load the small configuration with some of its files (by stem) replaced."""
    whole = {"pbx": PBX, "agents": AGENTS, "queues": QUEUES} | files
    put(folder, {f"{name}.yaml": text for name, text in whole.items()})
    return load(folder, environ=environ, policies=POLICIES, now=now)


def problems(
    folder: Path, environ: Mapping[str, str] = ENVIRON, /, **files: str | bytes
) -> list[Problem]:
    """What is wrong with it; empty when it loads."""
    try:
        loaded(folder, environ, None, **files)
    except ConfigError as error:
        return list(error.problems)
    return []


def told(folder: Path, environ: Mapping[str, str] = ENVIRON, /, **files: str | bytes) -> list[str]:
    return [str(problem) for problem in problems(folder, environ, **files)]


def warned(folder: Path, **files: str | bytes) -> list[str]:
    return [str(problem) for problem in loaded(folder, ENVIRON, None, **files).warnings]
