"""All that this package takes from panoramisk: the base class of a connection, and action ids.

panoramisk 1.4 reads, matches and ends connections in ways that lose replies (see `tests/ami`), so
`connection`, `wire` and `replies` do that themselves. Nothing else in this package imports it.
"""

from collections.abc import Callable

from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol

__all__ = ["AMIProtocol", "new_action_id"]

new_action_id: Callable[[], str] = Action.action_id_generator
"""Returns an ActionID that this process has not used before."""
