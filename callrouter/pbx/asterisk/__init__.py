"""Asterisk, driven over its manager interface (AMI)."""
