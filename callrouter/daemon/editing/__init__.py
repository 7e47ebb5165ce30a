"""People edit the configuration files over HTTP: drafts, saves, and what may be written."""
