"""Offers: ringing an agent's phones for a call, and how an offer fails."""
