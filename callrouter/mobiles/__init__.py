"""Registration of agents' own mobiles: which numbers are accepted, and how one is verified.

Pure: no I/O, no clock.
"""
