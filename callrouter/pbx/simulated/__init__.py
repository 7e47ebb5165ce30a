"""The driver `simulated`: a telephone system in memory, with simulated callers and agents."""

from callrouter.pbx.simulated.driver import SimulatedPbx
from callrouter.pbx.simulated.engine import Engine
from callrouter.pbx.simulated.traffic import Spread, Traffic

__all__ = ["Engine", "SimulatedPbx", "Spread", "Traffic"]
