"""The demo job: handwritten digits, with gradient trouble built in."""
