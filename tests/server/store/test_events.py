"""Events in the store: chosen, dismissed, and with all of their parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection

from gradgate.server.events.finding import NAMES, Finding
from gradgate.server.store.events import (
    add_to_event,
    append_events,
    dismiss_event,
    event_rows,
    pack_members,
    unpack_members,
)
from gradgate.server.store.refusals import UnknownEvent, UnknownParameter


def finding(step: int, *positions: int, **changes: Any) -> Finding:
    """A spike at a step."""
    fields: dict[str, Any] = {
        "kind": "spike",
        "level": "alert",
        "time": float(step),
        "step": step,
        "sentence": f"The norm of {NAMES} rose.",
        "figures": {"ratio": 40.0},
        "parameters": np.array(positions, np.intp),
        **changes,
    }
    return Finding(**fields)


def test_an_event_names_its_parameters(
    connection: Connection, open_with: Callable[[int], str]
) -> None:
    """The foremost in its sentence, the first 20 in its row, and all of them are found."""
    run = open_with(3000)
    places = [2999, *range(0, 60, 2)]
    assert append_events(connection, run, [finding(7, *places), finding(8, last_step=9)]) == [1, 2]
    later, row = event_rows(connection, run, limit=10)
    assert (row.id, row.step, row.last_step, row.count) == (1, 7, 7, 31)
    assert row.sentence == "The norm of p2999, p0, p2 and 28 more rose."
    assert row.parameters == [f"p{place}" for place in range(0, 40, 2)]
    assert (later.last_step, later.count, later.parameters) == (9, 0, [])
    for name, found in (("p2999", 1), ("p58", 1), ("p59", 0), ("p1", 0)):
        assert len(event_rows(connection, run, limit=10, parameter=name)) == found


@pytest.mark.parametrize(
    ("chosen", "ids"),
    [
        ({}, [4, 3, 2, 1]),
        ({"limit": 2}, [4, 3]),
        ({"kinds": ["dead", "gate"]}, [3, 2]),
        ({"first_step": 15}, [4, 3, 2]),
        ({"first_step": 16, "last_step": 30}, [3]),
        ({"last_step": 15}, [2, 1]),
        ({"after": 2}, [4, 3]),
        ({"before": 3}, [2, 1]),
        ({"before": 4, "limit": 1}, [3]),
        ({"level": "note"}, [3]),
        ({"text": "NORM OF A.WEIGHT"}, [4, 1]),
        ({"text": "100 %"}, [3]),
        ({"text": "%"}, [3]),
        ({"ids": {1, 4}}, [4, 1]),
        ({"parameter": "a.bias", "limit": 1}, [4]),
        ({"dismissed": False}, [4, 2, 1]),
    ],
)
def test_events_are_chosen(
    connection: Connection, opened: str, chosen: dict[str, Any], ids: list[int]
) -> None:
    """Newest first, of those that are all of what is asked for."""
    append_events(connection, opened, [finding(5, 0)])
    append_events(connection, opened, [finding(10, 1, kind="dead", last_step=15)])
    closed = finding(20, kind="gate", level="note", sentence="Closed in 100 % of the steps.")
    append_events(connection, opened, [closed, finding(40, 0, 1)])
    dismiss_event(connection, opened, 3, 50.0)
    assert [row.id for row in event_rows(connection, opened, **{"limit": 9, **chosen})] == ids


def test_an_event_is_dismissed_once(connection: Connection, opened: str) -> None:
    """It keeps when that was, until it is taken up again."""
    append_events(connection, opened, [finding(5)])
    assert dismiss_event(connection, opened, 1, 50.0).dismissed == 50
    assert dismiss_event(connection, opened, 1, 60.0).dismissed == 50
    assert dismiss_event(connection, opened, 1, None).dismissed is None
    with pytest.raises(UnknownEvent, match="no event 2: GET /api/runs/"):
        dismiss_event(connection, opened, 2, 1.0)


def test_an_unknown_parameter_is_refused(connection: Connection, opened: str) -> None:
    """With where to find those that there are."""
    with pytest.raises(UnknownParameter, match=r"no parameter 'b': GET .*/parameters lists"):
        event_rows(connection, opened, limit=1, parameter="b")


def test_an_event_grows(connection: Connection, open_with: Callable[[int], str]) -> None:
    """It reaches to the last step, has every parameter once, and says how many were added."""
    run = open_with(9)
    append_events(connection, run, [finding(5, 1)])
    add_to_event(connection, run, 1, [finding(6, 1, 8), finding(9, 0)])
    (row,) = event_rows(connection, run, limit=9)
    assert (row.step, row.last_step, row.count, row.parameters) == (5, 9, 3, ["p0", "p1", "p8"])
    assert row.sentence == "The norm of p1 rose. And 2 more like it up to step 9."
    assert row.figures == {"ratio": 40, "more": 2}


def test_what_happened_after_a_job_went_back_is_in_its_range(
    connection: Connection, opened: str
) -> None:
    """The event to which it was added is found by the steps of either."""
    append_events(connection, opened, [finding(1000, 1)])
    add_to_event(connection, opened, 1, [finding(500, 1)])
    for steps in (500, 1000):
        assert len(event_rows(connection, opened, limit=9, first_step=steps, last_step=steps)) == 1
    assert event_rows(connection, opened, limit=9, last_step=499) == []


def test_an_event_never_ends_before_it_begins(connection: Connection, opened: str) -> None:
    """Also one that lasts since a step from which the job went back."""
    append_events(connection, opened, [finding(995, last_step=303), finding(7, last_step=9)])
    rows = event_rows(connection, opened, limit=9)
    assert [(row.step, row.last_step) for row in rows] == [(7, 9), (995, 995)]


def test_figures_that_are_not_finite_are_null(connection: Connection, opened: str) -> None:
    """JSON has no word for them."""
    figures = {"ratio": float("inf"), "total": {"value": float("nan"), "median": 1.0}}
    append_events(connection, opened, [finding(5, figures=figures)])
    (row,) = event_rows(connection, opened, limit=1)
    assert row.figures == {"ratio": None, "total": {"value": None, "median": 1}}


@pytest.mark.parametrize("places", [[], [0], [7, 8, 9], [99_999, 3]])
def test_members_are_packed(places: list[int]) -> None:
    """None of them takes no room."""
    packed = pack_members(np.array(places, np.intp))
    assert unpack_members(packed).tolist() == sorted(places)
    assert packed is None or len(packed) < 100
