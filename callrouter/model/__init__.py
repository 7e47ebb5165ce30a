"""The words of the domain: what is configured, what happens, what is ordered."""
