"""Calls: arriving, waiting, leaving, being connected, and what is done with a conversation."""
