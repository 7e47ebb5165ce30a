"""What is known of the channels and phones of one Asterisk, kept up to date from its events and lists."""
