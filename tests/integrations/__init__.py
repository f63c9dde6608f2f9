"""Tests against the real training libraries, which ``make test-integrations`` installs."""
