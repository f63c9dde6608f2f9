"""What was planned of the coming steps holds until somebody asks for something."""

from __future__ import annotations

import math

from gradgate.probe.session.lull import Lull


class Planned:
    """A lull up to step 5 and the time 10."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.now = 9.0
        self.lull = Lull(self.commands, lambda: self.now)
        self.lull.begin(5, 10.0, is_quiet=True, is_calm=True)


def test_it_lasts_for_its_steps_and_its_time() -> None:
    """Whichever is over first."""
    planned = Planned()
    assert [planned.lull.lasts(step) for step in (4, 5, 6)] == [True, True, False]
    planned.now = 10.0
    assert not planned.lull.lasts(4)


def test_a_command_ends_it_at_the_next_boundary() -> None:
    """Of which the thread that took it tells nobody."""
    planned = Planned()
    planned.commands.append("freeze")
    assert not planned.lull.lasts(4)


def test_there_is_none_before_it_is_planned_nor_after_its_end() -> None:
    """All look at a step then, and its boundary does all its work."""
    planned = Planned()
    assert planned.lull.is_quiet
    assert planned.lull.is_calm
    assert planned.lull.is_on
    planned.lull.end()
    fresh = Lull([])
    for lull in (planned.lull, fresh):
        assert not lull.is_quiet
        assert not lull.is_calm
        assert not lull.is_on
        assert not lull.lasts(1)
    fresh.begin(1, math.inf, is_quiet=False, is_calm=False)
    assert fresh.lasts(1)
    assert fresh.is_on


def test_who_wants_to_look_at_one_step_leaves_its_boundary_to_a_later_one() -> None:
    """As at what the script has clipped."""
    planned = Planned()
    planned.lull.look()
    assert not planned.lull.is_quiet
    assert planned.lull.lasts(5)
