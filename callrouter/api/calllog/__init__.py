"""The one memory of calls: what was reported of each, what agents were doing, and totals."""
