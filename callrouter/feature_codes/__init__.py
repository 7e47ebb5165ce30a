"""Feature codes: identifies the agent, carries out the request, and announces the result."""

from callrouter.feature_codes.dialogue import FeatureCodes

__all__ = ["FeatureCodes"]
