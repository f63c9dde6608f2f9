"""Where gates can be, and where they cannot."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.distributed.fsdp import FullyShardedDataParallel, ShardingStrategy

from gradgate import probe
from gradgate.probe.gates.sites import parse_site
from tests.support import gating
from tests.support.gating import Branched


def test_what_is_refused() -> None:
    """Each thing that cannot be is refused with its reason; nothing is left of it."""
    model = Branched()
    optimizer = torch.optim.LBFGS(model.parameters())
    model.head.requires_grad_(False)
    refusals: list[tuple[dict[str, Any], str]] = [
        ({"site": "output:encodr"}, "did you mean 'encoder'"),
        ({"site": "param:head"}, "names no parameter of this run"),
        ({"site": "param:head.weight"}, "'head.weight' is frozen"),
        ({"site": "encoder"}, "is no site; give param:NAME"),
        ({"site": "site:"}, "names nothing"),
        ({"site": "site:x", "when": "norm >"}, "cannot be read"),
        ({"site": "site:x", "action": "stop"}, "'stop' is unknown"),
        ({"site": "site:x", "action": "scale"}, "needs factor"),
        ({"site": "site:x", "action": "clip", "max_norm": 0}, "above 0"),
        ({"site": "site:x", "factor": 2}, "factor belongs to action 'scale'"),
        ({"site": 5}, "5 is no site"),
        ({"site": "site:x", "when": None}, "a condition is a text"),
        ({"site": "site:x", "action": ["block"]}, "is unknown"),
        ({"site": "site:x", "action": "scale", "factor": "2"}, "factor='2': give a number"),
        ({"site": "site:x", "action": "clip", "max_norm": 10**400}, "give a number"),
        ({"site": "site:x", "action": "scale", "factor": torch.ones(2)}, "give a number"),
        ({"site": "site:x", "hold": -1}, "from 0 to"),
        ({"site": "site:x", "hold": 2**53 + 1}, "from 0 to"),
        ({"site": "site:x", "hold": 1.5}, "hold=1.5: give a whole number"),
    ]
    with gating.attached(model) as run:
        for options, words in refusals:
            with pytest.raises(probe.GradgateError, match=words):
                run.gate(**options)
        with pytest.raises(probe.CommandError, match="no gate 4; it has none"):
            run.ungate(4)
        with pytest.raises(probe.CommandError, match="gate='4': give a whole number"):
            run.ungate("4")  # type: ignore[arg-type]
        assert run.gate("site:x") == 1
    with gating.attached(model, optimizer) as run, pytest.raises(probe.CommandError, match="LBFGS"):
        run.gate("output:encoder")
    model.compile(backend="eager", fullgraph=True)
    with gating.attached(model) as run, pytest.raises(probe.CommandError, match="fullgraph=True"):
        run.gate("output:encoder")


@pytest.mark.usefixtures("alone")
def test_a_model_in_flat_pieces_is_refused() -> None:
    """By what keeps it so, and nothing is hooked."""
    model = FullyShardedDataParallel(
        Branched(), sharding_strategy=ShardingStrategy.NO_SHARD, device_id=torch.device("cpu")
    )
    with gating.attached(model) as run:
        with pytest.raises(probe.CommandError, match="wrapped in FullyShardedDataParallel"):
            run.gate("output:encoder")
        assert run.gates() == []


@pytest.mark.parametrize(
    "text", ["param:a.weight", "output:", "output:a.b", "input:a", "site:my label: 2"]
)
def test_a_site_is_written_as_it_was_read(text: str) -> None:
    """Reading and writing are inverse, and equal texts are equal sites."""
    assert parse_site(text).text == text
    assert {parse_site(text): 1}[parse_site(text)] == 1


def test_sites_of_two_kinds_are_two() -> None:
    """A module has an input and an output, which are not one site because of its name."""
    assert len({parse_site(text) for text in ("input:a", "output:a", "site:a", "param:a")}) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("param:", "names nothing"),
        ("site:", "names nothing"),
        ("param", "is no site; give param:NAME, output:MODULE, input:MODULE or site:LABEL."),
        ("weight:a", "is no site"),
        ("site:" + "x" * 501, "has 500 characters at most"),
    ],
)
def test_what_is_no_site(text: str, said: str) -> None:
    """A text that names no site is refused with what to give."""
    with pytest.raises(probe.CommandError, match=said):
        parse_site(text)
    assert parse_site("site:" + "x" * 500).name


def test_a_frozen_parameter_may_be_gated_where_its_gate_was_made_before() -> None:
    """A gate that comes from a checkpoint may be on a parameter that is frozen by now."""
    with gating.attached(Branched()) as run:
        run.freeze("head")
        registry = gating.parts(run).registry
        registry.check(gating.command("param:head.bias"), restored=True)
        with pytest.raises(probe.CommandError, match="is frozen, so no gradient comes to it"):
            registry.check(gating.command("param:head.bias"))


@pytest.mark.usefixtures("alone")
def test_a_compiled_model_of_a_distributed_job_has_no_gates_in_its_forward() -> None:
    """Its graph is split for the reduction of gradients."""
    model = torch.nn.parallel.DistributedDataParallel(Branched())
    model.module.compile(backend="eager")
    with gating.attached(model) as run:
        with pytest.raises(probe.CommandError, match="its graph is split"):
            run.gate("output:module.encoder")
        assert run.gates() == []


@pytest.mark.filterwarnings("ignore:.*(deprecated|not supported in Python 3.14).*")
@pytest.mark.parametrize("kind", ["output", "input"])
def test_a_module_of_torchscript_is_refused(kind: str) -> None:
    """The one around it is not."""
    model = torch.nn.Sequential(torch.jit.script(torch.nn.Linear(2, 2)), torch.nn.Linear(2, 1))
    with gating.attached(model) as run:
        with pytest.raises(probe.CommandError, match="'0' is TorchScript, which takes no hooks"):
            run.gate(f"{kind}:0")
        assert run.gate(f"{kind}:1") == 1
