"""The handlers of each path of the HTTP API."""
