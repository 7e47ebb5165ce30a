"""callrouter against app_queue, and against a bare script on the manager interface: `make bench`.

One Asterisk, one set of SIP phones and callers, one clock. Each system has the Asterisk to itself while it
is its turn, and the turns go round, so that whatever else the machine does meets all three alike:

- `app_queue`, Asterisk's own, at its best: `autofill=yes`, `retry=1`, `ringinuse=no`, nothing announced;
- `floor`, a script that matches and does nothing else: what the manager interface allows at all;
- `callrouter`, the daemon as it is run, `callrouter run`.

All times are taken at the SIP messages of the phones: of what was sent when it was sent, of what came when
the kernel had it. The modules: `work` (who calls when, and talks how long), `stage` (Asterisk and phones),
`systems`, `floor`, `scenes` (what is measured), `results`, `targets`, `report`, `plot`.
"""
