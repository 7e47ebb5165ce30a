"""How many Asterisks and calls one router carries, and what limits it: `make scale`.

`load_generator` is a process that speaks AMI as so many Asterisks do, with phones that answer and callers that talk. It
makes load and is no stand-in for Asterisk in tests: it knows the ordinary ways of a call and nothing else. `comparison`
holds its dialogue against that of a real Asterisk. The router is the daemon itself, with its record.
"""
