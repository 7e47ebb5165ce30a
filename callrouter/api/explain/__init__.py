"""The answers to `why` and `why-not`, from a journal of every decision."""
