"""Edits of the files as text: single values change, and comments, order and layout stay."""
