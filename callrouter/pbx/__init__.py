"""Drivers: one package for each kind of PBX.

`interface` says what the rest of the program expects of each. `phone_events` and `scheduler` are
parts that drivers may share. No driver imports another.
"""
