"""The domain model: configuration, events, commands and notices."""
