"""The texts of the configuration files: what the API asks of the daemon, and large bodies."""
