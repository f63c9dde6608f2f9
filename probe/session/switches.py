"""The parts that are switched off where they fail again and again, and what is lost by that."""

from __future__ import annotations

from ..live.explainer import Explainer
from ..live.failing_parts import Part
from ..measure.measurement import Measurement
from ..measure.totals import StepTotals
from ..progress.progress import Progress


def switchable(
    measurement: Measurement, totals: StepTotals, progress: Progress, explainer: Explainer
) -> list[Part]:
    """Return them. Commands are none: what they have done is proved, or told as not so."""
    return [
        Part(
            "how far steps move weights, and which units get nothing, is no longer measured",
            ("measure/looks.py", "measure/movement.py", "measure/dead_units.py"),
            measurement.looks.switch_off,
        ),
        Part(
            "histograms are no longer taken",
            ("measure/focus.py", "measure/histogram.py"),
            measurement.focus.switch_off,
        ),
        Part(
            "backwards are no longer timed, so that nobody knows what a freeze saves",
            ("measure/backward_timer.py",),
            measurement.timer.switch_off,
        ),
        Part(
            "the total gradient norm is no longer taken between samples",
            (
                *("measure/totals.py", "measure/total_looks.py", "measure/total_norm.py"),
                *("measure/clip_norms.py", "measure/outliers.py"),
            ),
            totals.switch_off,
        ),
        Part(
            "gradients are no longer sampled",
            ("measure/sampler.py", "measure/released.py", "measure/known_gradients.py"),
            measurement.schedule.switch_off,
        ),
        Part(
            "whether steps train is no longer judged",
            ("progress",),
            progress.switch_off,
        ),
        Part(
            "why gradients are missing is no longer explained",
            (
                *("diagnosis", "live/explainer.py", "live/traced_step.py", "live/schedule.py"),
                *("live/explain_commands.py", "live/rank_scope.py", "live/missing.py"),
            ),
            explainer.switch_off,
        ),
    ]
