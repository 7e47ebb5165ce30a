"""Agents and their devices: what is true of them, what they asked for, who is present."""
