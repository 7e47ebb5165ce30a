"""The demo (`callrouter demo`): a complete call centre on this machine.

It starts the daemon as a child process beside the laboratory's Asterisk and phones, or beside the
simulated telephone system, shows the calls live and leaves no trace. The daemon imports none of it.
"""
