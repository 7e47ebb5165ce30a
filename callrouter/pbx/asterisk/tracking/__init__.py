"""What is known of the channels and phones of one Asterisk, from its events and lists."""
