"""The metrics that wait to be sent: the latest of them, and the gaps are known."""

from __future__ import annotations

from gradgate.server.live.points import POINTS, VALUES, Points
from gradgate.server.protocol.probe_messages import Metrics


def logged(first: int, last: int, width: int = 1) -> Points:
    """Points of so many values at the steps from first to last."""
    points = Points()
    for step in range(first, last + 1):
        values = {f"m{place}": 1.0 for place in range(width)}
        points.log(Metrics(type="metrics", seq=step, step=step, time=1.0, values=values))
    return points


def steps(points: Points) -> list[int]:
    """The steps of the points."""
    return [point.step for point in points.listed()]


def test_all_is_kept_up_to_the_limit() -> None:
    """One point more and the oldest goes, which is said."""
    points = logged(1, POINTS)
    assert (steps(points), points.complete) == (list(range(1, POINTS + 1)), True)
    points.extend(logged(POINTS + 1, POINTS + 1))
    assert (steps(points), points.complete) == (list(range(2, POINTS + 2)), False)


def test_wide_points_are_fewer() -> None:
    """The values together are bounded too, and the latest point is always there."""
    points = logged(1, 150, width=1000)
    assert len(points) == VALUES // 1000
    assert (steps(points)[-1], points.complete) == (150, False)


def test_a_gap_in_what_came_later_is_not_hidden() -> None:
    """Nothing from before the gap stays, and the whole is not complete."""
    points = logged(1, 10)
    points.extend(logged(11, 160, width=999))
    assert (steps(points), points.complete) == (list(range(61, 161)), False)
