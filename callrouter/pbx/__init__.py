"""Drivers: one package for each kind of PBX."""
