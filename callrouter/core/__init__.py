"""The routing decisions: pure, single-threaded, with time as an argument. Start at `router.Router`."""
