"""How the core's commands become AMI actions, and what Asterisk's answers to them mean."""
