"""The schema of the configuration: keys, types and bounds."""
