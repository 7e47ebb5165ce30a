"""A standby passes requests on to the active node of its pool, which sees from where they came."""
