"""What the router needs from a Twilio account: checked by `doctor`, made by `callrouter twilio setup`."""
