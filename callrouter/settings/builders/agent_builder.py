"""Builds the agents, and the extension that each enters with their PIN at other phones."""

from __future__ import annotations

import re
from collections import Counter

from callrouter.model.routing_table import (
    AgentSpec,
    SignIn,
)
from callrouter.model.text import phrase
from callrouter.settings.builders.build_context import BuildContext
from callrouter.settings.builders.device_builder import build_device
from callrouter.settings.errors.problems import quoted
from callrouter.settings.schema.agent_options import AgentOptions
from callrouter.settings.schema.options import spec_values
from callrouter.settings.schema.root_options import RootOptions
from callrouter.settings.yaml.source import Document

_MOST_DIGITS = 12
"""Maximum length of an extension."""


def build_agents(root: RootOptions, context: BuildContext) -> dict[str, AgentSpec]:
    """Build the agents who are not disabled; inconsistencies are reported to the document.

    They are in the order of the files. A phone with a mistake is left out of its agent;
    `load_snapshot` raises in the end if anything was reported.
    """
    extensions = _extensions(root, context.document)
    return {
        id_: _agent(id_, agent, extensions.get(id_, ""), context)
        for id_, agent in root.agents.items()
        if agent.enabled
    }


def _agent(id_: str, agent: AgentOptions, extension: str, context: BuildContext) -> AgentSpec:
    context = context.within(agent.timezone, ("agents", id_))
    devices = [build_device(id_, name, device, context) for name, device in agent.devices.items()]
    values = spec_values(
        agent,
        name=agent.name or id_,
        devices=tuple(device for device in devices if device is not None),
        sign_in=SignIn(agent.sign_in),
        extension=extension,
        zone=None if agent.timezone is None else context.zone,
    )
    return AgentSpec(id=id_, **values)


def _extensions(root: RootOptions, document: Document) -> dict[str, str]:
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
            text = phrase(
                "extension-s-already",
                "extension {extension} is {owner}'s already",
                extension=quoted(agent.extension),
                owner=owner[agent.extension],
            )
            document.error(
                ("agents", id_, "extension"),
                text,
                phrase("give-each-agent-their-own", "give each agent their own"),
            )
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
    """Return the digits in the name of an agent's first phone on a PBX; empty: there are none.

    Only the first phone that has an endpoint or a dial string counts: ``PJSIP/1001@branch`` gives
    ``1001``. More than 12 digits are no extension.
    """
    for device in agent.devices.values():
        endpoint = device if isinstance(device, str) else device.endpoint or device.dial
        if isinstance(endpoint, dict):  # the address where it is registered
            endpoint = next((one for one in endpoint.values() if "@" not in one), "")
        if endpoint:
            name = endpoint.partition("/")[2].partition("@")[0]  # not the digits in a trunk's name
            digits = re.sub("[^0-9]", "", name)
            return digits if len(digits) <= _MOST_DIGITS else ""
    return ""
