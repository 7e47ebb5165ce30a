"""Whom agents reach by a code on their phone: asks who they are, does it, says what is true now."""

from callrouter.reception.desk import Reception

__all__ = ["Reception"]
