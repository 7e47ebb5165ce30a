"""HTTP: the API, also used by the command line. Reads the state; requests changes as events."""
