"""Parts that torch may take away: found by name, and refused by name."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from gradgate.probe.base.errors import CommandError, MissingFromTorch
from gradgate.probe.torch_compat import requirements
from gradgate.probe.torch_compat.parts import EXPLAINING, FREEZING, GATING, Part


def test_this_torch_has_every_part() -> None:
    """In a version that is supported nothing is missing, so nothing is refused."""
    assert requirements.missing_parts() is None
    for purpose in (FREEZING, GATING, EXPLAINING):
        assert requirements.is_supported(purpose)
        requirements.require_for(purpose)
    assert len(requirements.PARTS) == len({part.name for part in requirements.PARTS})


def test_every_part_says_what_happens_without_it() -> None:
    """In words, and it is needed for what is known only."""
    for part in requirements.PARTS:
        assert part.name.startswith("torch.")
        assert " " in part.otherwise
        assert part.needed_for <= {FREEZING, GATING, EXPLAINING}


@pytest.mark.parametrize("name", ["torch._gone", "torch.gone._part", "torch.Tensor._gone.part"])
def test_a_missing_part_is_refused_by_its_name(name: str) -> None:
    """To look it up raises nothing; to require it does, as any command that cannot be done."""
    part = Part(name, otherwise="nothing works", needed_for=(FREEZING,))
    assert part.missing
    assert part.or_else("else") == "else"
    with pytest.raises(MissingFromTorch, match=f"has no '{name}' .nothing works.") as caught:
        part.require()
    assert isinstance(caught.value, CommandError)
    assert caught.value.name == name
    assert torch.__version__ in str(caught.value)


def test_a_missing_part_refuses_what_needs_it_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sentence for the job's log names it, with what happens."""
    gone = Part("torch._gone", otherwise="gates are slow", needed_for=(GATING,))
    monkeypatch.setattr(requirements, "PARTS", (*requirements.PARTS, gone))
    assert not requirements.is_supported(GATING)
    with pytest.raises(MissingFromTorch, match=r"torch\._gone"):
        requirements.require_for(GATING)
    assert requirements.is_supported(FREEZING)
    requirements.require_for(FREEZING)
    assert "torch._gone (gates are slow)" in (requirements.missing_parts() or "")


def test_a_part_that_is_there_is_found_by_its_name() -> None:
    """It is torch's own object, and a falsy one is one, too."""
    part = Part("torch.nn.Linear", otherwise="nothing works")
    assert part.require() is torch.nn.Linear
    assert part.or_else(None) is torch.nn.Linear
    falsy = Part("torch.backends.cudnn.benchmark", otherwise="nothing works")
    assert not falsy.missing
    assert falsy.or_else("else") is falsy.require() is torch.backends.cudnn.benchmark is False


def test_a_torch_without_any_of_them_trains_on() -> None:
    """Each is named in the log, commands are refused by name, and gradients are measured."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.support.lacking"],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "GRADGATE_STRICT": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    for part in requirements.PARTS:
        assert f"{part.name} ({part.otherwise})" in ran.stderr
    for step in range(4):
        assert ran.stdout.count(f"step {step}: torch {torch.__version__} has no 'torch.") == 3
    assert ran.stdout.count("=present") == 6
