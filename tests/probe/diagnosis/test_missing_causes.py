"""What the sentences depend on of a gradient that is missing, or that nobody applies."""

from __future__ import annotations

import pytest

from gradgate.probe.base.source import Place
from gradgate.probe.diagnosis.missing_causes import (
    Detached,
    FrozenByCommand,
    FrozenByScript,
    ModuleNotCalled,
    NoBackward,
    NoGrad,
    NotDifferentiable,
    NotInLoss,
    NotInOptimizer,
    Unknown,
)
from gradgate.probe.diagnosis.phrases import OtherCuts
from gradgate.probe.diagnosis.tape import Call
from gradgate.probe.model.freeze import Freeze
from tests.support.tracing import call, chain, value

PLACE = Place("train.py", 9, "step")


def test_a_finding_at_a_call_stops_by_it() -> None:
    """Its place is the call's, and its stop is named without quotes."""
    found = Detached.by_call("w", call("detach"), [], value(), OtherCuts([PLACE]))
    assert (found.cause, found.stopped_by) == ("detached", "detach()")
    assert found.place is not None
    assert found.place.text == "train.py:7"
    assert found.detail == (
        "`w` reaches the loss only through `detach()` at train.py:7 "
        "(other ways are cut at train.py:9)."
    )


@pytest.mark.parametrize(("name", "copies"), [("tensor", True), ("detach", False)])
def test_a_copy_of_the_numbers_is_to_be_left_out(name: str, copies: bool) -> None:
    """A detach is to be removed."""
    advice = Detached.by_call("w", call(name), [], value(), OtherCuts()).advice
    assert ("use the tensor itself" in advice) is copies


@pytest.mark.parametrize(
    ("name", "inside", "told"),
    [
        ("data", "deepcopy", "hand its gradients back"),
        ("detach", "state_dict", "dict(model.named_parameters())"),
        ("detach", "stack_module_state", "torch.stack()"),
    ],
)
def test_a_copy_that_torch_makes_is_named_by_its_maker(name: str, inside: str, told: str) -> None:
    """No user can remove a ``detach`` that is inside of torch."""
    made = Call(0, name, chain("a.py:1", entered=inside), None, None)
    found = Detached.by_call("w", made, [], value(), OtherCuts())
    assert f"inside of `{inside}()` at a.py:1" in found.detail
    assert told in found.advice
    elsewhere = Call(0, name, chain(entered="checkpoint"), None, None)
    assert "Remove" in Detached.by_call("w", elsewhere, [], value(), OtherCuts()).advice


def test_the_function_is_named_that_lacks_create_graph() -> None:
    """The user may have called another one than ``grad``."""
    made = Call(0, "grad", chain(entered="jacobian"), None, None)
    assert "create_graph=True to jacobian()" in Detached.by_grad("w", made, [], value()).advice
    assert "create_graph=True to grad()" in Detached.by_grad("w", call("grad"), [], value()).advice


def test_numbers_that_come_back_elsewhere_have_two_places() -> None:
    """Where they left and where they came back."""
    left, back = call("item", "a.py:1"), call("tensor", "b.py:2")
    stop = value(left)
    found = Detached.by_numbers("w", left, back, [], stop, OtherCuts())
    assert "by `item()` at a.py:1, and comes back in `tensor()` at b.py:2;" in found.detail
    assert (found.place, found.stop) == (left.place, stop)
    alone = Detached.by_numbers("w", left, None, [], stop, OtherCuts(behind=[PLACE]))
    assert "comes back" not in alone.detail
    assert "cut again" in alone.detail


@pytest.mark.parametrize(
    ("name", "floating", "cast"), [("to", False, True), ("to", True, False), ("gt", False, False)]
)
def test_a_cast_to_whole_numbers_is_called_one(name: str, floating: bool, cast: bool) -> None:
    """A cast to another float is none, and a comparison is none either."""
    stop = value(floating=floating)
    detail = NotDifferentiable.by_call("w", call(name), [], stop, OtherCuts()).detail
    assert ("a cast to whole numbers" in detail) is cast


def test_a_freeze_says_who_and_a_script_says_where() -> None:
    """As far as that is known."""
    told = FrozenByCommand.found("w", Freeze("ann", "grad", 5, 7)).detail
    assert told == "`w` was frozen by ann (command 7) at step 5, mode `grad`."
    assert "command" not in FrozenByCommand.found("w", Freeze("ann", "grad", 5, None)).detail
    assert "set at train.py:9" in FrozenByScript.found("w", PLACE).detail
    assert "set at" not in FrozenByScript.found("w", None).detail


def test_a_module_that_nothing_called_has_no_caller() -> None:
    """Else the caller and its line are named."""
    called = ModuleNotCalled.found("w", "`head`", "`net`", PLACE)
    assert "the forward of `net` (train.py:9) did not call it" in called.detail
    assert called.stopped_by == "head is not called"
    seldom = ModuleNotCalled.found("w", "`head`", "`net`", PLACE, 41)
    assert seldom.detail == (f"{called.detail[:-1]}; in step 41 it had a useful gradient.")
    assert "expert" in seldom.advice
    assert "nothing called it" in ModuleNotCalled.found("w", "`head`", None, None).detail


def test_what_is_off_is_named() -> None:
    """By what switched it off, or by the checkpoint that runs without."""
    switched = NoGrad.by_switch("w", "inference_mode", chain("a.py:1"), [], value(), OtherCuts())
    assert switched.detail.endswith("with gradients off: `inference_mode` at a.py:1.")
    checkpoint = NoGrad.by_checkpoint("w", chain("a.py:1"), [], value())
    assert "use_reentrant=False" in checkpoint.advice
    assert switched.cause == checkpoint.cause == "no_grad"


def test_a_gradient_penalty_is_told_from_a_missing_graph() -> None:
    """One does not depend on it, the other was cut off."""
    arguments = ("w", call("grad"), [], value())
    assert NotInLoss.by_grad(*arguments).cause == "not_in_loss"
    assert "create_graph=True" in Detached.by_grad(*arguments).advice


def test_a_backward_that_was_not_called_knows_of_another() -> None:
    """The advice is to add to the loss then."""
    assert "Add the value to the loss" in NoBackward.not_called("w", PLACE, True, []).advice
    assert "parentheses" in NoBackward.not_called("w", None, False, []).advice
    assert "the value of train.py:9" in NoBackward.not_called("w", PLACE, True, []).detail


@pytest.mark.parametrize(
    ("container", "held", "advice"),
    [("tensor", "it is a plain tensor", "nn.Parameter"), ("list", "plain list", "nn.ModuleList")],
)
def test_a_plain_container_is_named(container: str, held: str, advice: str) -> None:
    """A tensor is to become a parameter, a list of modules one that registers them."""
    found = NotInOptimizer.not_registered("w", call("mul"), container, [])
    assert held in found.detail
    assert advice in found.advice
    assert found.cause == NotInOptimizer.word


def test_what_is_not_known_says_why() -> None:
    """And has no way where none is known."""
    found = Unknown.found("w", "it is late")
    assert found.detail.endswith("has no useful gradient: it is late.")
    assert (found.way, found.place) == ([], None)
