"""Wrong tokens are counted by address."""

from __future__ import annotations

import pytest

from gradgate.server.web.wrong_tokens import ADDRESSES, MOST, WITHIN, TooManyWrong, WrongTokens


class Clock:
    """Time that a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Stands still."""
    return Clock()


@pytest.fixture
def wrong(clock: Clock) -> WrongTokens:
    """Has seen nothing."""
    return WrongTokens(clock)


def guess(wrong: WrongTokens, host: str, times: int, first: int = 0) -> None:
    """Show so many different wrong tokens."""
    for number in range(first, first + times):
        wrong.check(host)
        wrong.add(host, f"guess-{number}")


def test_an_address_waits_after_so_many_guesses(wrong: WrongTokens, clock: Clock) -> None:
    """Until the oldest of them is a minute old; then it has one more, and waits again."""
    guess(wrong, "10.0.0.1", 1)
    clock.now += 20
    guess(wrong, "10.0.0.1", MOST - 1, 1)
    with pytest.raises(TooManyWrong, match="wait 40 seconds") as caught:
        wrong.check("10.0.0.1")
    assert caught.value.seconds == 40
    clock.now += 40
    guess(wrong, "10.0.0.1", 1, MOST)
    with pytest.raises(TooManyWrong, match="wait 20 seconds"):
        wrong.check("10.0.0.1")
    clock.now += WITHIN
    guess(wrong, "10.0.0.1", MOST)


def test_the_same_wrong_token_again_is_no_guess(wrong: WrongTokens) -> None:
    """A page or a job that goes on with a revoked token locks nobody out."""
    assert wrong.add("10.0.0.1", "revoked")
    for _ in range(3 * MOST):
        wrong.check("10.0.0.1")
        assert not wrong.add("10.0.0.1", "revoked")


@pytest.mark.parametrize(
    ("guessing", "other", "waits"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("", "10.0.0.1", False),
        ("x" * 100, "x" * 200, True),
    ],
)
def test_who_waits_with_an_address(
    wrong: WrongTokens, guessing: str, other: str, waits: bool
) -> None:
    """Whoever is given the same 64 bits of IPv6, and nobody else."""
    guess(wrong, guessing, MOST)
    if not waits:
        wrong.check(other)
        return
    with pytest.raises(TooManyWrong, match="this address"):
        wrong.check(other)


def test_what_is_remembered_is_bounded(wrong: WrongTokens, clock: Clock) -> None:
    """Addresses that were there first are forgotten for others."""
    guess(wrong, "10.0.0.1", MOST)
    for number in range(ADDRESSES - 1):
        wrong.add(f"host-{number}", "x")
    with pytest.raises(TooManyWrong, match="this address"):
        wrong.check("10.0.0.1")
    wrong.add("one more", "x")
    wrong.check("10.0.0.1")
