"""The causes of a gradient that is missing, or that nobody applies."""

from __future__ import annotations

from typing import ClassVar

from ..base.source import Chain, Place
from ..model.freeze import Freeze
from ..model.gate_info import GateInfo
from .case import Finding
from .cause import Cause
from .phrases import OtherCuts, at, phrase
from .switches import OffTime
from .tape import Call, Value
from .torch_functions import CASTS


class FrozenByScript(Cause):
    """``requires_grad`` is False, and Gradgate did not do that."""

    word = "frozen_by_script"

    @classmethod
    def found(cls, name: str, place: Place | None) -> Finding:
        """Say where the script switched it off, where that was seen."""
        since = "" if place is None else f", set at {place.text}"
        return cls._found(
            f"`{name}` has requires_grad=False{since}, and no command of Gradgate's froze it.",
            "If it ought to train, set requires_grad_(True) before the optimizer is made; it may "
            "be meant, as for a pretrained backbone.",
            place,
            stopped_by="requires_grad=False",
        )

    @classmethod
    def while_used(cls, name: str, off: OffTime) -> Finding:
        """Say that it is trainable again, and was not while the step made its graph of it."""
        return cls._switched(name, off, "while the step used it", "before the forward")

    @classmethod
    def in_backward(cls, name: str, off: OffTime) -> Finding:
        """Say that it was switched off when its gradient came."""
        return cls._switched(name, off, "when its gradient came", "until backward() is over")

    @classmethod
    def _switched(cls, name: str, off: OffTime, when: str, until: str) -> Finding:
        since = "" if off.off is None else f", set at {off.off.text}"
        again = "" if off.on is None else f"; it was set to True only at {off.on.text}"
        return cls._found(
            f"`{name}` had requires_grad=False {when}{since}{again}.",
            f"Set requires_grad to True {until} when it ought to train; it may be meant, where "
            "another loss only passes through it.",
            off.off or off.on,
            stopped_by="requires_grad=False",
        )


class FrozenByCommand(Cause):
    """A command of Gradgate's froze it."""

    word = "frozen_by_command"

    @classmethod
    def found(cls, name: str, freeze: Freeze) -> Finding:
        """Say who froze it, and since when."""
        number = "" if freeze.command is None else f" (command {freeze.command})"
        return cls._found(
            f"`{name}` was frozen by {freeze.by}{number} at step {freeze.since_step}, mode "
            f"`{freeze.mode}`.",
            "Thaw it when it ought to train.",
            stopped_by="freeze",
        )


class Gated(Cause):
    """A closed gate kept the gradient away."""

    word = "gated"

    @classmethod
    def found(cls, name: str, gate: GateInfo, place: Place | None, way: list[Value]) -> Finding:
        """Name the gate; ``place``: of its label in the script."""
        return cls._found(
            f"Gate {gate.id} at {gate.site}, closed when `{gate.when}`, kept the gradient from "
            f"`{name}`.",
            "Pause or remove the gate, or change its condition, when the parameter ought to train.",
            place,
            way,
            stopped_by=f"gate {gate.id}",
        )


class ModuleNotCalled(Cause):
    """Its module did not run."""

    word = "module_not_called"

    @classmethod
    def found(
        cls,
        name: str,
        module: str,
        caller: str | None,
        place: Place | None,
        useful_in: int | None = None,
    ) -> Finding:
        """Name the outermost module that was left out, and the one that did not call it.

        ``useful_in``: a step in which the parameter had a useful gradient, if one was seen.
        """
        at_line = "" if place is None else f" ({place.text})"
        called = "nothing called it in this step"
        if caller is not None:
            called = f"the forward of {caller}{at_line} did not call it in this step"
        if useful_in is None:
            advice = (
                "Call the module in the forward, or remove it; it may be meant, as for a branch "
                "that this step did not take."
            )
        else:
            called = f"{called}; in step {useful_in} it had a useful gradient"
            advice = (
                "It may be meant, as for an expert that this batch did not ask for, or a layer "
                "that is left out at random; else look for what has left it out since step "
                f"{useful_in}."
            )
        return cls._found(
            f"`{name}` belongs to {module}, and {called}.",
            advice,
            place,
            stopped_by=f"{module.strip('`')} is not called",
        )


class ParameterNotUsed(Cause):
    """Its module ran without it."""

    word = "parameter_not_used"

    @classmethod
    def found(cls, name: str, module: str, place: Place | None) -> Finding:
        """Name the module."""
        where = "" if place is None else f" ({place.text})"
        return cls._found(
            f"{module[0].upper() + module[1:]} ran{where}, and used `{name}` in nothing that it "
            "computed.",
            "Use the parameter in the forward, or remove it.",
            place,
            stopped_by="not used",
        )


class NoGrad(Cause):
    """It was used while gradients were off."""

    word = "no_grad"

    @classmethod
    def by_switch(
        cls,
        name: str,
        by: str,
        chain: Chain,
        way: list[Value],
        stop: Value,
        more: OtherCuts,
    ) -> Finding:
        """Name what switched gradients off, and where; ``more``: where else it is cut."""
        return cls._found(
            f"`{name}` reaches the loss only through what ran with gradients off: `{by}` "
            f"{at(chain)}{more.text}.",
            f"Run it outside of `{by}` when it ought to train; it may be meant, for a frozen "
            "encoder.",
            chain.place,
            way,
            stop,
            by,
        )

    @classmethod
    def by_checkpoint(cls, name: str, chain: Chain, way: list[Value], stop: Value) -> Finding:
        """Name the reentrant checkpoint that builds no graph."""
        return cls._found(
            f"`{name}` runs inside a reentrant checkpoint {at(chain)}, none of whose inputs "
            "requires a gradient, so the checkpoint builds no graph.",
            "Pass use_reentrant=False to checkpoint().",
            chain.place,
            way,
            stop,
            "checkpoint",
        )


class Detached(Cause):
    """It is cut by ``detach`` and its kin."""

    word = "detached"

    COPIES: ClassVar[dict[str, str]] = {
        **{
            name: f"`{name}()` copies the numbers without their past: use the tensor itself."
            for name in ("tensor", "as_tensor", "asarray", "new_tensor")
        },
        "deepcopy": "A deep copy has parameters of its own: hand its gradients back "
        "(p.grad = q.grad), or call the model with weights that were computed from its "
        "parameters, by torch.func.functional_call().",
        "state_dict": "The tensors of a state_dict() have no past: use "
        "dict(model.named_parameters()); where a copy is what learns, hand its gradients back "
        "(p.grad = q.grad).",
        "stack_module_state": "The stacked parameters are copies and train alone: give those to "
        "the optimizer, and stack them once, before the loop; or stack the models' own by "
        "torch.stack().",
    }
    """By the call, or the function of torch's that made it: what to do instead of such a copy."""

    @classmethod
    def by_call(
        cls, name: str, call: Call, way: list[Value], stop: Value, more: OtherCuts
    ) -> Finding:
        """Name the call; ``more``: where else it is cut."""
        what, inside = phrase(call), call.chain.entered
        if inside in cls.COPIES:
            what = f"the {what} inside of `{inside}()`"
            advice = cls.COPIES[inside]
        elif call.name in cls.COPIES:
            advice = cls.COPIES[call.name]
        else:
            advice = f"Remove {what} when the gradient ought to flow; it may be meant."
        return cls._at_call(
            f"`{name}` reaches the loss only through {what} {at(call.chain)}{more.text}.",
            advice,
            call,
            way,
            stop,
        )

    @classmethod
    def by_grad(cls, name: str, call: Call, way: list[Value], stop: Value) -> Finding:
        """Name the ``autograd.grad`` whose result was cut off from what it was made of."""
        function = call.chain.entered or "grad"
        return cls._found(
            f"`{name}` reaches the loss only through the gradient that `{function}()` gives "
            f"{at(call.chain)} without create_graph=True.",
            f"Pass create_graph=True to {function}() when the loss is to be differentiated "
            "through it.",
            call.place,
            way,
            stop,
            "grad()",
        )

    @classmethod
    def by_numbers(
        cls,
        name: str,
        left: Call,
        back: Call | None,
        way: list[Value],
        stop: Value,
        more: OtherCuts,
    ) -> Finding:
        """Name the call by which values left torch, and the one that took numbers back in."""
        returned = "" if back is None else f", and comes back in {phrase(back)} {at(back.chain)}"
        return cls._at_call(
            f"What `{name}` leads to leaves torch as numbers by {phrase(left)} {at(left.chain)}"
            f"{returned}{more.text}; autograd does not follow numbers.",
            "Compute it with torch functions on the tensor itself, from the parameter to the loss.",
            left,
            way,
            stop,
        )


class NotDifferentiable(Cause):
    """The only way leads through something without a derivative."""

    word = "not_differentiable"

    @classmethod
    def by_call(
        cls, name: str, call: Call, way: list[Value], stop: Value | None, more: OtherCuts
    ) -> Finding:
        """Name the call; ``more``: where else it is cut."""
        integer = stop is not None and not stop.floating
        why = "which has no derivative"
        if call.name in CASTS and integer:
            why = "a cast to whole numbers, which has no derivative"
        return cls._at_call(
            f"`{name}` reaches the loss only through {phrase(call)} {at(call.chain)}, "
            f"{why}{more.text}.",
            "Use a smooth stand-in (softmax for argmax, sigmoid for a threshold), or a "
            "straight-through estimator.",
            call,
            way,
            stop,
        )

    @classmethod
    def by_backward(cls, name: str, call: Call, way: list[Value], stop: Value | None) -> Finding:
        """Name the call whose backward gave None."""
        return cls._at_call(
            f"The backward of {phrase(call)} {at(call.chain)} returns no gradient for what leads "
            f"to `{name}`.",
            "Return a gradient for this input in its backward, or leave it out of the function "
            "when that is meant.",
            call,
            way,
            stop,
        )

    @classmethod
    def by_staircase(cls, name: str, call: Call, way: list[Value], stop: Value | None) -> Finding:
        """Name the call whose derivative is zero wherever there is one."""
        return cls._at_call(
            f"`{name}` reaches the loss only through {phrase(call)} {at(call.chain)}, whose "
            "derivative is zero everywhere, so its gradient is exactly zero.",
            "Use a straight-through estimator, x + (round(x) - x).detach(), or a smooth stand-in.",
            call,
            way,
            stop,
        )


class NotInLoss(Cause):
    """It was computed, and the loss does not use it."""

    word = "not_in_loss"

    @classmethod
    def found(cls, name: str, last: Call | None, root: Place | None, way: list[Value]) -> Finding:
        """Name the last that was made of it; ``root``: where the backward began."""
        result = "its result" if last is None else f"the result of {phrase(last)} {at(last.chain)}"
        loss = "a loss" if root is None else f"the loss (backward at {root.text})"
        return cls._found(
            f"`{name}` was used, but {result} goes into nothing that {loss} depends on.",
            "Add what it computes to the loss, or remove it; it may be meant for an output that "
            "is not trained.",
            None if last is None else last.place,
            way,
            way[-1] if way else None,
            "not in the loss",
        )

    @classmethod
    def by_grad(cls, name: str, call: Call, way: list[Value], stop: Value) -> Finding:
        """Name the ``autograd.grad`` whose result does not depend on it."""
        return cls._found(
            f"`{name}` has a part in the loss only through the gradient that `grad()` gives "
            f"{at(call.chain)}, and that does not depend on it.",
            "It may be meant: the last bias has no part in a gradient penalty. Else add what it "
            "computes to the loss itself.",
            call.place,
            way,
            stop,
            "grad()",
        )


class NotInOptimizer(Cause):
    """Its gradient is fine, and nobody applies it."""

    word = "not_in_optimizer"

    @classmethod
    def found(cls, name: str, way: list[Value]) -> Finding:
        """Say it of a parameter that a model has."""
        return cls._found(
            f"`{name}` gets a gradient, and is in no group of the optimizer, so nothing changes "
            "it.",
            "Make the optimizer after all layers are in place, or add them with "
            "optimizer.add_param_group().",
            way=way,
            stopped_by="not in the optimizer",
        )

    @classmethod
    def not_registered(cls, name: str, call: Call, container: str, way: list[Value]) -> Finding:
        """Say it of one that no model has; ``container``: the type of what holds it."""
        held = "is a plain tensor" if container == "tensor" else f"is held in a plain {container}"
        advice = (
            "Make it an nn.Parameter."
            if container == "tensor"
            else "Hold the layers in an nn.ModuleList or nn.ModuleDict (parameters in an "
            "nn.ParameterList), or assign them to attributes of their own."
        )
        return cls._found(
            f"`{name}` is used {at(call.chain)}, but it {held}, so model.parameters() does not "
            "have it and the optimizer does not either.",
            advice,
            call.place,
            way,
            stopped_by=f"a plain {container}",
        )


class NoBackward(Cause):
    """No backward left a gradient for it."""

    word = "no_backward"

    @classmethod
    def not_called(cls, name: str, place: Place | None, another: bool, way: list[Value]) -> Finding:
        """Name the value on which none was called; ``another``: one was, on something else."""
        value = "what it leads to"
        if place is not None:
            value = f"what it leads to, the value of {place.text}"
        advice = "Call loss.backward(), with its parentheses, before optimizer.step()."
        if another:
            advice = "Add the value to the loss before loss.backward(), or call backward() on it "
            advice += "too."
        return cls._found(
            f"`{name}` got no gradient, because backward() was not called on {value}.",
            advice,
            place,
            way,
            way[-1] if way else None,
            "no backward",
        )

    @classmethod
    def cleared(cls, name: str, place: Place | None, way: list[Value]) -> Finding:
        """Say that a gradient arrived, and was taken away before the step."""
        where = "" if place is None else f" at {place.text}"
        return cls._found(
            f"A gradient reached `{name}`, and was cleared{where} before the optimizer could use "
            "it, with no backward after that.",
            "Call zero_grad() before backward(), not between backward() and step().",
            place,
            way,
            stopped_by="cleared",
        )

    @classmethod
    def not_reduced(cls, name: str, place: Place | None, way: list[Value]) -> Finding:
        """Say that ``fully_shard`` keeps it with the whole parameter."""
        where = "" if place is None else f" at {place.text}"
        return cls._found(
            f"The backward{where} brought a gradient to the whole of `{name}`, and fully_shard "
            "(FSDP2) has not handed it on to the part of it that the optimizer has.",
            "Call set_requires_gradient_sync(True), and set_requires_all_reduce(True) where the "
            "parts are replicated, before the last backward of each step.",
            place,
            way,
            stopped_by="fully_shard",
        )

    @classmethod
    def not_stored(cls, name: str, chain: Chain, way: list[Value]) -> Finding:
        """Say that ``autograd.grad`` returned it, and nothing put it where an optimizer looks."""
        return cls._found(
            f"`grad()` {at(chain)} returned a gradient for `{name}`, and nothing put it into its "
            "`.grad` or into the parameter.",
            "Set the parameter's .grad to it before optimizer.step(), or call loss.backward() "
            "instead.",
            chain.place,
            way,
            stopped_by="grad()",
        )

    @classmethod
    def of_other_inputs(cls, name: str, place: Place | None, way: list[Value]) -> Finding:
        """Say that the backward was restricted to other inputs."""
        where = "" if place is None else f" at {place.text}"
        return cls._found(
            f"The backward{where} was asked for the gradients of given inputs only, and `{name}` "
            "is not one of them.",
            "Add it to the inputs, or call loss.backward() without them.",
            place,
            way,
            stopped_by="inputs=",
        )


class Unknown(Cause):
    """The trace does not tell."""

    word = "unknown"

    @classmethod
    def found(
        cls, name: str, why: str, place: Place | None = None, way: list[Value] | None = None
    ) -> Finding:
        """Say why not."""
        return cls._found(
            f"The trace does not tell why `{name}` has no useful gradient: {why}.",
            "Please report it with a small example, if you can make one.",
            place,
            way,
        )
