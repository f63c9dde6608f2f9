"""Tests of the server, most of them against a real process."""
