"""Reports: what is on record, as figures with written definitions."""
