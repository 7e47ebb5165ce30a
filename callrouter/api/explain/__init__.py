"""The answers to `why`, from the call log, and to `why-not`, from the present state of the floor."""
