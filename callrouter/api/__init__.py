"""HTTP: the API, and the door of the command line. Reads the state; asks for changes as events."""
