"""The public face of the probe."""

from __future__ import annotations

from gradgate import probe

PUBLIC = [
    "Alert",
    "AttachError",
    "CommandError",
    "ConditionError",
    "ExpectationError",
    "Expected",
    "Explanation",
    "Freeze",
    "GateInfo",
    "GradgateError",
    "ParameterInfo",
    "Preview",
    "Run",
    "Snippet",
    "Station",
    "TargetError",
    "Thresholds",
    "attach",
    "expect",
    "explain",
    "site",
]


def test_probe_exports_exactly_the_public_names() -> None:
    """A name is added to or taken from the interface on purpose, here too."""
    assert sorted(probe.__all__) == PUBLIC
    for name in PUBLIC:
        assert getattr(probe, name).__module__.startswith("gradgate.probe.")


def test_run_has_exactly_the_public_methods() -> None:
    """The same for what `attach` returns."""
    methods = {name for name in vars(probe.Run) if not name.startswith("_")}
    assert methods == {
        "alerts",
        "detach",
        "explain",
        "explanations",
        "flush",
        "freeze",
        "gate",
        "gates",
        "load_state_dict",
        "log",
        "notes",
        "parameters",
        "preview",
        "show",
        "state_dict",
        "step",
        "thaw",
        "ungate",
        "url",
    }
