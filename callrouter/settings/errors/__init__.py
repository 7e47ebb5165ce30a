"""Problems of a configuration: found, explained, and shown without secrets."""
