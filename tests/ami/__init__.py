"""The AMI session."""
