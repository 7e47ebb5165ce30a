"""A client for Asterisk's manager interface (AMI)."""
