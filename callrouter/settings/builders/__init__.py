"""From a document that fits the schema to the settings and the routing table."""
