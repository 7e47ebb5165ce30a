"""Lines of Asterisk's queue_log, as app_queue would write them, and a file of them."""
