"""The bugs that galleries list, as jobs of our own, and the tools that are asked about them."""
