"""Feature codes: identifies the agent, carries out the request, and announces the result."""

from callrouter.reception.desk import Reception

__all__ = ["Reception"]
