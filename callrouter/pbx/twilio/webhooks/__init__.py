"""The door for Twilio's webhooks: parse strictly, check the signature, keep replays out.

Any client on the internet can reach these routes. Nothing here decides what a webhook means; that
is `callrouter.pbx.twilio.handlers`.
"""
