"""Twilio's REST API: the requests the driver makes, the client that makes them, and HTTP below it."""
