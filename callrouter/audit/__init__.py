"""The audit: who did what, when and from where, with the outcome; kept as long as `history:` says."""
