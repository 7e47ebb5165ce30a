"""The demonstration: a whole call centre on this machine."""
