"""callrouter: an event-driven call distributor that runs beside a telephone system."""

__version__ = "0.1.0"
