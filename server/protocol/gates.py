"""A gate as the job reports it."""

from __future__ import annotations

from pydantic import FiniteFloat

from .effects import Effect
from .fields import Action, Count, Indexes, Measured, Name, Site, Text


class Gate(Effect):
    """A gate: a site, a condition and an action, and what became of it so far.

    `steps` are those since it was made in which its site was reached, `closed_steps` those of them
    in which it was closed; `parameters` got no gradient because of it in the latest step.
    """

    id: Count
    site: Site
    when: Text
    action: Action
    factor: FiniteFloat | None
    max_norm: FiniteFloat | None
    hold: Count
    paused: bool
    by: Name
    command: Count | None
    since_step: Count
    closed: bool
    steps: Count
    closed_steps: Count
    norm_in: Measured
    norm_out: Measured
    problem: Text | None
    parameters: Indexes
