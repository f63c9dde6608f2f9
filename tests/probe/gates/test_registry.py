"""Gates are made, changed and removed by commands, beside freezes."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from gradgate import probe
from gradgate.probe.gates import registry as registry_module
from gradgate.probe.gates import runtime
from gradgate.probe.gates.sites import InputSite
from tests.support import gating
from tests.support.gating import OPTIMIZERS, Branched
from tests.support.steered import hook_counts


@pytest.mark.parametrize(
    "order", list(itertools.permutations(["gate", "freeze", "ungate", "thaw"]))
)
@pytest.mark.parametrize("site", ["param:encoder.0.weight", "output:encoder"])
def test_gates_and_freezes_of_the_same(site: str, order: tuple[str, ...]) -> None:
    """Whatever comes first, each does its own; at the end all train, and detach restores it."""
    model = Branched()
    optimizer = OPTIMIZERS["adamw"](list(model.parameters()))
    with gating.attached(model, optimizer) as run:
        gated = frozen = False
        step = 0
        for deed in order:
            if deed == "gate" and not (frozen and site.startswith("param")):
                run.gate(site)
                gated = True
            elif deed == "gate":
                with pytest.raises(probe.CommandError, match="is frozen, so no gradient"):
                    run.gate(site)
            elif deed == "ungate" and gated:
                run.ungate(run.gates()[0].id)
                gated = False
            elif deed == "freeze":
                run.freeze("encoder.0")
                frozen = True
            elif deed == "thaw":
                run.thaw("encoder.0")
                frozen = False
            before = gating.weights(model)
            gating.train(model, optimizer, 2, first=step + 1)
            step += 2
            moved = gating.weights(model)["encoder.0.weight"] != before["encoder.0.weight"]
            state = gating.states(run)["encoder.0.weight"]
            assert moved == (not gated and not frozen), deed
            assert state == ("frozen" if frozen else "gated" if gated else "present")
        saved = run.state_dict()
        run.load_state_dict(saved)
    assert all(p.requires_grad for p in model.parameters())


def test_gates_are_listed_by_number_whatever_came_first() -> None:
    """A changed gate keeps its number and its place; numbers are not given twice."""
    with gating.attached(Branched()) as run:
        registry = gating.parts(run).registry
        promised = registry.reserve()
        assert [run.gate(f"site:{name}") for name in "ab"] == [promised + 1, promised + 2]
        registry.apply(gating.command("site:late", reserved=promised), 0)
        registry.apply(gating.command("output:encoder", gate=promised + 1, hold=2), 0)
        infos = run.gates()
        assert [gate.id for gate in infos] == [promised, promised + 1, promised + 2]
        assert [gate.site for gate in infos] == ["site:late", "output:encoder", "site:b"]
        at_work = gating.parts(run).runtime.gates()
        assert sorted(gate.id for gate in at_work) == [gate.id for gate in infos]
        run.ungate(promised + 2)
        assert run.gate("site:c") == promised + 3
        assert registry.get(promised + 2) is None
        registry.delete(promised + 2)  # a second time
        assert len(registry) == 3


def test_a_run_has_so_many_gates_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """One gate too many is refused; one that is there can still be changed."""
    monkeypatch.setattr(registry_module, "MOST", 2)
    with gating.attached(Branched()) as run:
        registry = gating.parts(run).registry
        run.gate("site:a")
        run.gate("site:b")
        with pytest.raises(probe.CommandError, match="a run has 2 gates at most"):
            run.gate("site:c")
        registry.check(gating.command("site:c", gate=2))


def test_a_gate_that_stays_where_it_is_can_be_changed_while_its_parameter_is_frozen() -> None:
    """Where a gate is was checked when it was made; elsewhere it is checked anew."""
    with gating.attached(Branched()) as run:
        registry = gating.parts(run).registry
        run.gate("param:head.weight")
        run.freeze("head")
        registry.check(gating.command("param:head.weight", gate=1, hold=3))
        with pytest.raises(probe.CommandError, match=r"'head\.bias' is frozen"):
            registry.check(gating.command("param:head.bias", gate=1))
        registry.check(gating.command("param:head.bias", gate=1), restored=True)


def test_what_blocks_and_what_zeroes() -> None:
    """Of the closed gates those that block are known by parameter; the first wins."""
    model = Branched()
    with gating.attached(model) as run:
        run.gate("output:encoder", "False")
        run.gate("output:encoder", "norm >= 0")
        run.gate("param:encoder.0.weight", "False")
        run.gate("param:encoder.0.weight")
        run.gate("param:head.weight", action="scale", factor=0.0)
        run.gate("param:head.bias", action="scale", factor=0.5)
        gating.loss_of(model, 1).backward()
        registry = gating.parts(run).registry
        names = [info.name for info in run.parameters()]
        blocking = {names[index]: gate.id for index, gate in registry.blocking().items()}
        assert blocking == {
            **dict.fromkeys([n for n in names if n.startswith(("encoder", "stem"))], 2),
            "encoder.0.weight": 4,  # its own gate is the nearer
        }
        assert [gate.id for gate in registry.zeroing()] == [5]
        indexes = registry.may_block_before_forward()
        assert {names[index] for index in indexes} == {"encoder.0.weight"}


@pytest.mark.parametrize("at", ["before", "after"])
def test_a_gate_that_cannot_be_changed_stays_as_it_was(
    monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Whether its site or the models refuse the new one's hooks; one that is new is not there."""
    model = Branched()
    with gating.attached(model) as run:
        number = run.gate("output:encoder", when="step > 100")
        before, hooks = run.gates(), hook_counts(model)
        registry = gating.parts(run).registry

        def refuse(*args: object) -> object:
            raise RuntimeError("no hooks here")

        with monkeypatch.context() as patch:
            if at == "before":
                patch.setattr(InputSite, "put_hooks", refuse)
            else:
                patch.setattr(runtime, "ModuleHook", refuse)
            if at == "before":
                changed = replace(gating.command("input:encoder"), gate=number)
            else:
                registry.delete(number)
                before, hooks = [], hook_counts(model)
                changed = gating.command("input:encoder")
            with pytest.raises(RuntimeError, match="no hooks here"):
                registry.apply(changed, 0)
        assert run.gates() == before
        assert hook_counts(model)[0] == hooks[0]
        run.gate("input:encoder")


def test_gates_are_put_back_as_they_were() -> None:
    """Those that were removed since, and without those that were made or changed."""
    with gating.attached(Branched()) as run:
        for name in "abc":
            run.gate(f"site:{name}")
        registry = gating.parts(run).registry
        before, restore = run.gates(), registry.snapshot()
        run.ungate(1)
        run.gate("output:encoder")
        registry.apply(replace(gating.command("site:b", when="step > 3"), gate=2), 0)
        restore()
        assert run.gates() == before
        assert gating.parts(run).runtime.has_label("a")
