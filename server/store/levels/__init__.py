"""The levels of the store: blocks of a fixed number of samples, and the pyramid above them."""
