"""What the router needs from an Asterisk: checked at every login, and in detail by `doctor`."""
