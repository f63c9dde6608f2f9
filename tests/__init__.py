"""The tests of Gradgate."""
