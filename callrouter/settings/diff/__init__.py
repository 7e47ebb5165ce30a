"""The differences between two configurations, in a supervisor's words."""
