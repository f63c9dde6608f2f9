"""One door to the private parts of torch: what each is used for, and what happens without it."""
