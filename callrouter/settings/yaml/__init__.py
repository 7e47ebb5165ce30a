"""Reads a folder of YAML files into one document that knows where each value was written."""
