"""The daemon's answers as tables that fit a terminal."""
