"""What goes with a release and is not a part of the program."""
