"""The record: every call, decision and agent's state, stored for as long as `history:` says."""
