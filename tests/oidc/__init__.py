"""Logging in through a real provider of OpenID Connect."""
