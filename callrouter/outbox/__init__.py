"""What callrouter sends to other systems: events, in order for each call, kept until delivered."""
