"""Agents' own mobiles: which numbers are taken, and how one is proved. Pure: no I/O, no clock."""
