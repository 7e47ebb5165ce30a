"""callrouter against app_queue, and against a bare script on the manager interface: `make bench`.

One Asterisk, one set of SIP phones and callers, one clock. Each system has the Asterisk to itself
during its turn, and the turns rotate, so that other load on the machine affects all three alike:

- `app_queue`, Asterisk's own, at its best: `autofill=yes`, `retry=1`, `ringinuse=no`, no
  announcements;
- `floor`, a script that matches and does nothing else: the limit of the manager interface;
- `callrouter`, the daemon as it is run in production, `callrouter run`.

All times are taken from the SIP messages of the phones: a sent message counts when it is sent, a
received one when the kernel has it. The modules: `work` (arrival and duration of calls), `stage`
(Asterisk and phones), `systems`, `floor`, `scenes` (what is measured), `results`, `targets`,
`report`, `plot`.
"""
