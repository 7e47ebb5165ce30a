"""Doors that have held against attackers, tried again in full: ``python -m tests.held``."""
