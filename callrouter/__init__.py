"""callrouter: an event-driven call distributor that runs beside a PBX."""

__version__ = "0.1.0"
