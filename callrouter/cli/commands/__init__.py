"""One module per group of commands. Each is loaded only when it is used."""
