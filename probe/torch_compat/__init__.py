"""One door to the private parts of torch, and to the interpreter's own objects."""
