"""Every kind of event, by the detector that finds it."""

from __future__ import annotations

from collections.abc import Mapping

from ..protocol.events import EventKind
from .absent import Absent
from .alerts import Alerts
from .commands import Commands, Drift
from .dead import Dead
from .detector import Detector
from .gates import Gates
from .nonfinite import Nonfinite
from .not_moving import NotMoving
from .runs import Runs
from .spike import Spike
from .vanished import Vanished

DETECTORS: Mapping[EventKind, type[Detector]] = {
    each.kind: each
    for each in (
        Nonfinite,
        Spike,
        Vanished,
        Absent,
        Dead,
        NotMoving,
        Drift,
        Commands,
        Gates,
        Alerts,
        Runs,
    )
}
