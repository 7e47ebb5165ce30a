"""The demo: a complete call centre on this machine."""
