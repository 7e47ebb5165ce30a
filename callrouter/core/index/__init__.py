"""Indexes below the state: available agents and waiting calls, in order."""
