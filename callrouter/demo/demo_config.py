"""The demo's configuration: a real folder, as an operator and a supervisor would write it."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from argon2 import PasswordHasher

from callrouter import resources

STAFF = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "henry")
"""Agents with a phone of the demo; their desk phones are 1001, 1002, …"""
YOU = "you"
"""The agent whose phone belongs to the user."""
SUPERVISOR = "sam"
"""Who logs in at the page and sees the whole floor."""
QUEUES = ("support", "sales", "front-desk")
MOBILES = {"alice": "447700900101", "dave": "447700900104"}
"""Numbers that Ofcom reserves for drama, without the +."""


def phone_of(agent: str) -> str:
    """Return the SIP user of an agent's desk phone.

    Raises:
        ValueError: the demo has no such agent.
    """
    return str(1001 + (*STAFF, YOU).index(agent))


PHONES = {phone_of(agent): agent for agent in STAFF}
YOUR_PHONE = phone_of(YOU)


@dataclass(frozen=True, slots=True)
class Manager:
    """The address of the demo Asterisk's manager interface, and the secret made for this run.

    Both go into the daemon's configuration, the secret also into Asterisk's.
    """

    port: int
    secret: str


class NoDialplanError(RuntimeError):
    """The project's Asterisk files are missing; the text says where they belong."""


def dialplan(name: str) -> str:
    """Return one of the project's two Asterisk files.

    Raises:
        NoDialplanError: it is missing.
    """
    try:
        return (resources.folder("dialplan") / name).read_text(encoding="utf-8")
    except OSError as error:
        raise NoDialplanError(f"the demo needs callrouter's own dialplan files: {error}") from error


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free at this moment.

    Another process may take it before the daemon does.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def write(folder: Path, manager: Manager | None, http_port: int, password: str) -> None:
    """Write the three files; without a `manager`, for the simulated PBX.

    Args:
        folder: created for this user only, if it is missing.
        manager: how the daemon reaches Asterisk; None: the simulated PBX.
        http_port: where the daemon listens on 127.0.0.1.
        password: with which the supervisor and every agent log in at the page.
    """
    # Cheaper than for a real password: this one is made at random, and gone with the demo.
    digest = PasswordHasher(time_cost=1, memory_cost=8192).hash(password)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in {
        "callrouter.yaml": _operator(manager, http_port, digest),
        "agents.yaml": _agents(digest),
        "queues.yaml": _QUEUES,
    }.items():
        (folder / name).write_text(text, encoding="utf-8")


def _operator(manager: Manager | None, http_port: int, digest: str) -> str:
    if manager is None:
        pbx = "    driver: simulated"
    else:
        pbx = f"""    driver: asterisk
    host: 127.0.0.1
    port: {manager.port}
    username: callrouter
    secret: {manager.secret}
    dial_number: PJSIP/{{number}}@carrier"""
    return f"""# Made by `callrouter demo`, and gone when it ends. Change it while it runs, if you like.
pbx:
  office:
{pbx}
http:
  listen: 127.0.0.1:{http_port}
users:
  {SUPERVISOR}: {{role: supervisor, password: "{digest}"}}
"""


def _agents(digest: str) -> str:
    lines = ["agents:"]
    for agent in (*STAFF, YOU):
        lines += [f"  {agent}:", f"    name: {agent.title()}", f'    password: "{digest}"']
        lines.append("    devices:")
        lines.append(f"      desk: PJSIP/{phone_of(agent)}")
        if agent in MOBILES:
            # On a mobile only key 1 accepts, so that its voicemail never takes a call.
            number = f'"+{MOBILES[agent]}"'
            lines.append(f"      mobile: {{number: {number}, ring_after: 4s, confirm: true}}")
    return "\n".join(lines) + "\n"


_QUEUES = """queues:
  support:                    # who comes first is in this table: 1 before 2 before 50
    name: Customer support
    policy: priority
    agents: {alice: 1, bob: 1, you: 1, carol: 2, dave: 50}
    ring_for: 10s
    retry_after: 2s
    wrap_up: 3s
    max_wait: 1m
    on_max_wait: queue:sales
    on_nobody: wait
  sales:                      # whoever has waited longest for a call
    name: Sales
    policy: longest-idle
    agents: [dave, erin, frank]
    ring_for: 10s
    retry_after: 2s
    wrap_up: 3s
    on_nobody: wait
  front-desk:                 # a hunt group: every phone rings, the first one wins
    name: Front desk
    policy: ring-all
    agents: [frank, grace, henry]
    ring_for: 12s
    retry_after: 2s
    wrap_up: 2s
    auto_pause: 0
    on_nobody: wait
"""
