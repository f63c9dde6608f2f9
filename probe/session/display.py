"""A run as a notebook shows it."""

from __future__ import annotations

from ..live.alerts import Alert
from ..notebook.frontend import display_now
from ..notebook.markup import LivePage, Trouble, run_markup
from .job import Job

MEANT = frozenset({"frozen_by_script", "frozen_by_command", "gated"})
"""Causes of what somebody wanted."""


def summary(job: Job) -> str:
    """Return a run as HTML: its name, its state, and a table of what is wrong."""
    return run_markup(job.name, _state(job), job.uplink.url, _troubles(job), _calm(job))


def in_a_line(job: Job) -> str:
    """Return a run as a line of text, such as ``<Run 'digits', live at step 30>``."""
    return f"<Run {job.name!r}, {_state(job)}>"


def show_page(job: Job, height: int) -> LivePage | None:
    """Show the run's page below the cell at work; where there is none, return it."""
    page = LivePage(job.name, job.uplink.url, height, _note(job))
    return None if display_now(page) else page


def _state(job: Job) -> str:
    step = f"step {job.state.step:,}"
    if not job.state.attached:
        return f"ended at {step}"
    if job.uplink.url is None:
        return f"live at {step}, without a dashboard"
    return f"live at {step}" if job.uplink.is_connected() else f"live at {step}, no dashboard yet"


def _calm(job: Job) -> str:
    if not job.state.attached:
        return "No trouble at the end."
    return "No trouble now." if job.state.step else "No step yet."


def _note(job: Job) -> str:
    if not job.state.attached or job.uplink.is_connected():
        return ""
    return "No dashboard answers there yet: start one (gradgate serve), and show the run again."


def _troubles(job: Job) -> list[Trouble]:
    """Return alerts, and then what was explained of other parameters, that nobody wanted."""
    alerts = job.alerts.of_level("alert")
    told = {alert.name for alert in alerts}
    explained = job.explainer.latest
    return [
        *map(_of_alert, alerts),
        *(
            Trouble(name, _words(each.cause), "", _with_place(each.detail, each.where))
            for name, each in explained.items()
            if name not in told and each.cause not in MEANT
        ),
    ]


def _of_alert(alert: Alert) -> Trouble:
    return Trouble(
        alert.name or "the whole run",
        _words(alert.cause or alert.state),
        f"{alert.since_step:,}",
        _with_place(alert.detail or "", alert.where),
    )


def _words(word: str) -> str:
    return word.replace("_", " ")


def _with_place(text: str, where: str | None) -> str:
    return text if where is None else f"{text} ({where})"
