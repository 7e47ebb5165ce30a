"""State that must survive a restart: agents' states, in SQLite or PostgreSQL.

Calls never wait for it.
"""
