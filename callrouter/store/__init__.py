"""What must outlive the router: agents' states, in SQLite. Calls never wait for it."""
