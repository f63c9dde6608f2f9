"""Names, numbers and previews as a terminal shows them."""

from __future__ import annotations

import pytest

from gradgate.server.cli.terminal import listed, plain, plural, size


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (999_999, "1 MB"),
        (210_400_000, "210 MB"),
        (3 * 10**18, "3e+03 PB"),
    ],
)
def test_bytes_have_three_digits(count: int, text: str) -> None:
    """In the unit that leaves at most three digits before the point."""
    assert size(count) == text


def test_names_are_listed_and_counted() -> None:
    """Three names, and the number of the others."""
    assert listed(["a", "b"], 2) == "a, b"
    assert listed(["a", "b", "c", "d"], 1200) == "a, b, c and 1,197 more"
    assert (plural(1, "step"), plural(2000, "step")) == ("1 step", "2,000 steps")


def test_what_would_steer_the_terminal_is_shown() -> None:
    """Escapes, line ends and marks of direction become a visible character; letters stay."""
    assert plain("é\x1b[2J\n\u202ea") == "é\ufffd[2J\ufffd\ufffda"
