"""callrouter: an event-driven call distributor that runs beside a PBX.

The command line is in `callrouter.cli`, the routing itself in `callrouter.core`.
"""

__version__ = "0.1.0"
