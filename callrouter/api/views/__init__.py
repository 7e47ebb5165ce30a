"""The API's sight of the floor: its state as JSON types, with what a caller may not see left out."""
