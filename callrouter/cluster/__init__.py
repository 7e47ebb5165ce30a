"""Several daemons for the same queues: which of them is active is a row in PostgreSQL, the lease."""
