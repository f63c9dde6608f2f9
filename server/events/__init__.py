"""Events: what of all that a job tells is worth telling a person, one detector a kind."""
