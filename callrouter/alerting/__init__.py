"""Alarms for sites without a monitoring system: what is watched, when it is told, and to which place."""
