"""The extension that each agent enters with their PIN at other phones."""

from __future__ import annotations

import re
from collections import Counter

from callrouter.settings.errors.problems import quoted
from callrouter.settings.schema.agent_options import AgentOptions
from callrouter.settings.schema.root_options import RootOptions
from callrouter.settings.yaml.source import Document

_MOST_DIGITS = 12


def build_extensions(root: RootOptions, document: Document) -> dict[str, str]:
    """Return the extensions of the agents who have one.

    Without `extension`, it is the digits in the name of the agent's first phone on a PBX. If
    several agents would get the same one that way, as with a shared phone, none of them has it.
    """
    agents = {id_: agent for id_, agent in root.agents.items() if agent.enabled}
    found: dict[str, str] = {}
    owner: dict[str, str] = {}
    for id_, agent in agents.items():
        if agent.extension is None:
            continue
        if agent.extension in owner:
            text = f"extension {quoted(agent.extension)} is {owner[agent.extension]}'s already"
            document.error(("agents", id_, "extension"), text, "give each agent their own")
            continue
        owner[agent.extension] = id_
        found[id_] = agent.extension
    guessed = {id_: _of_phone(agent) for id_, agent in agents.items() if agent.extension is None}
    shared = Counter(guessed.values())
    return found | {
        id_: extension
        for id_, extension in guessed.items()
        if extension and shared[extension] == 1 and extension not in owner
    }


def _of_phone(agent: AgentOptions) -> str:
    for device in agent.devices.values():
        endpoint = device if isinstance(device, str) else device.endpoint or device.dial
        if endpoint:
            name = endpoint.partition("/")[2].partition("@")[0]  # not the digits in a trunk's name
            digits = re.sub("[^0-9]", "", name)
            return digits if len(digits) <= _MOST_DIGITS else ""
    return ""
