"""The causes: one class each, with the word that is sent and the sentences that explain it.

To add one: a class here, its place in :data:`CAUSES`, and the rule that finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ..base.source import Chain, Place
from ..model.freeze import Freeze
from ..model.gate_info import GateInfo
from ..model.onset import Onset
from .backward_check import Deviation, Kind
from .case import Finding
from .cause import Cause
from .gradient_log import Overwriting
from .phrases import OtherCuts, at, named, phrase, quoted
from .switches import OffTime
from .tape import Call, Value
from .tensor_hooks import Hook
from .torch_functions import CASTS
from .update_causes import UPDATE_CAUSES
from .zeros import Reason


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


class BadValue(Cause):
    """The gradient arrived with values that are of no use."""

    values: ClassVar[str]
    """What it holds, in a sentence."""

    @classmethod
    def from_root(cls, name: str, place: Place | None, way: list[Value]) -> Finding:
        """Name the backward that was given such values to begin with."""
        where = "" if place is None else f" at {place.text}"
        return cls._found(
            f"The backward{where} began with {cls.values}, so `{name}` got {cls.values}.",
            "Look at the gradient, or the scale, that backward() was given.",
            place,
            way,
            way[-1] if way else None,
            cls.values,
        )

    @classmethod
    def by_hook(
        cls,
        name: str,
        call: Call | None,
        way: list[Value],
        stop: Value | None,
        hook: Hook | None = None,
    ) -> Finding:
        """Name the tensor whose hook made them; without a call it is the parameter itself."""
        on = f"`{name}`" if call is None else f"the result of {phrase(call)} {at(call.chain)}"
        place, line = None if call is None else call.place, ""
        if hook is not None and hook.place is not None:
            place = hook.place
            how = "registered at" if hook.registered else "whose function begins at"
            line = f", {how} {place.text},"
        return cls._found(
            f"A hook on {on}{line} turns the gradient into {cls.values}, so `{name}` gets "
            f"{cls.values}.",
            "Remove the hook, or let it leave the gradient as it was.",
            place,
            way,
            stop,
            "a hook",
        )


class ZeroGradient(BadValue):
    """It is exactly zero everywhere."""

    word = "zero_gradient"
    values = "zeros"

    @classmethod
    def by_call(
        cls, name: str, call: Call, way: list[Value], stop: Value | None, reason: Reason
    ) -> Finding:
        """Name the call, and the reason."""
        return cls._at_call(
            f"The gradient on its way to `{name}` becomes exactly zero in {phrase(call)} "
            f"{at(call.chain)}{reason.why}.",
            reason.advice,
            call,
            way,
            stop,
        )

    @classmethod
    def by_sum(
        cls, name: str, made: Call | None, used: Call, way: list[Value], stop: Value | None
    ) -> Finding:
        """Name the uses of a result whose gradients add up to zero."""
        what = "the parameter itself" if made is None else f"the result of {phrase(made)}"
        return cls._found(
            f"The gradients that {what} gets from its uses {at(used.chain)} cancel to exactly "
            f"zero, and with them that of `{name}`.",
            "Look for a term that takes away what another adds; a straight-through estimator "
            "needs a detach(): x + (hard - x).detach().",
            used.place,
            way,
            stop,
            "cancels",
        )


class Nonfinite(BadValue):
    """It holds NaN or infinity."""

    word = "nonfinite"
    values = "NaN or infinity"

    KEEP_AWAY: ClassVar[str] = (
        "Keep what goes into it away from where it has no finite value, by an eps or clamp."
    )
    REPLAY: ClassVar[str] = (
        "Load weights from before, and give probe.explain() that step's data: it names the line."
    )

    @classmethod
    def from_input(
        cls,
        name: str,
        call: Call,
        way: list[Value],
        stop: Value | None,
        holder: str | None = None,
    ) -> Finding:
        """Name the first call that was given such values; ``holder``: a buffer that has them."""
        if holder is not None:
            return cls._spread(
                name,
                f"The buffer `{holder}`, which {phrase(call)} uses {at(call.chain)}, holds "
                f"{cls.values} already",
                "Load or compute the buffer anew, and look at the data that it is made from.",
                call,
                way,
                stop,
            )
        return cls._spread(
            name,
            f"What goes into {phrase(call)} {at(call.chain)} holds {cls.values} already",
            "Look at the data.",
            call,
            way,
            stop,
        )

    @classmethod
    def from_outside(cls, name: str, call: Call, way: list[Value], stop: Value | None) -> Finding:
        """Name the call that made a tensor of numbers which are so."""
        return cls._spread(
            name,
            f"{phrase(call)} {at(call.chain)} takes {cls.values} in from outside of torch",
            "Look at the numbers that it is given.",
            call,
            way,
            stop,
        )

    @classmethod
    def by_call(cls, name: str, call: Call, way: list[Value], stop: Value | None) -> Finding:
        """Name the call that made such values of finite ones."""
        what = f"{phrase(call)} {at(call.chain)} gives {cls.values}"
        return cls._spread(name, what, cls.KEEP_AWAY, call, way, stop)

    @classmethod
    def by_mask(cls, name: str, call: Call, way: list[Value], stop: Value | None) -> Finding:
        """Name the attention of which a mask hides a whole row."""
        return cls._spread(
            name,
            f"{phrase(call)} {at(call.chain)} gives NaN, for a row of it is masked altogether",
            "Leave each query something to look at: two masks together, such as a causal one and "
            "one of padding at the beginning, may hide all of a row. Or fill in a large negative "
            "number instead of minus infinity, and leave such rows out of the loss.",
            call,
            way,
            stop,
        )

    @classmethod
    def by_backward(cls, name: str, call: Call, way: list[Value], stop: Value | None) -> Finding:
        """Name the call whose backward made such values of a finite gradient."""
        return cls._spread(
            name,
            f"The backward of {phrase(call)} {at(call.chain)} makes {cls.values} of a finite "
            "gradient",
            "Its derivative has no finite value there: add an eps inside of it, or replace the "
            "bad elements before it, not after it.",
            call,
            way,
            stop,
        )

    @classmethod
    def from_other_ranks(cls, name: str, place: Place | None, way: list[Value]) -> Finding:
        """Say that it was finite on this rank, until the ranks added up theirs."""
        where = "" if place is None else f" at {place.text}"
        return cls._found(
            f"The gradient of `{name}` was finite on this rank, and NaN or infinity once the "
            f"backward{where} had added up those of all ranks.",
            "Look at what the other ranks say: it came from one of them.",
            place,
            way,
            stopped_by="another rank",
        )

    @classmethod
    def by_sum(cls, name: str, made: Call | None, way: list[Value], stop: Value | None) -> Finding:
        """Name the result whose finite gradients add up to what is too large for its type."""
        what = f"`{name}`" if made is None else f"the result of {phrase(made)} {at(made.chain)}"
        return cls._found(
            f"The gradients that {what} gets from its uses are finite, and their sum is not, so "
            f"`{name}` gets {cls.values}.",
            "It is too large for its type: scale the loss down, or use bfloat16 or float32 there.",
            None if made is None else made.place,
            way,
            stop,
            "the sum",
        )

    # What an earlier step left in the weights. No call of this step is named: there it only
    # passed through.

    @classmethod
    def in_weights(cls, name: str, weights: Sequence[str], way: list[Value]) -> Finding:
        """Say that weights held such values when the step began."""
        return cls._of_weights(
            name,
            f"{quoted(weights)} {_hold(weights)} {cls.values} when the step begins, and from there "
            f"`{name}` gets it.",
            "An earlier step made it: load weights from before, and let attach(model, optimizer, "
            "every=1) tell which step.",
            way,
        )

    @classmethod
    def weights_first(
        cls, name: str, weights: Sequence[str], onset: Onset, way: list[Value]
    ) -> Finding:
        """Say that weights were so before any gradient was."""
        what = f"{quoted(weights)} held {cls.values} when step {onset.step} began"
        advice = cls.REPLAY
        if onset.step == 1:
            what = f"The weights came first: {what}, the first of the run"
            advice = "Look at how the weights were initialised, or at what was loaded into them."
        elif onset.alone:
            what = (
                f"The weights came first: {what}, though every gradient of step {onset.finite_at} "
                "was finite: the optimizer made it in that step, or the script by what it wrote "
                "into them after the backward"
            )
            advice = (
                "Lower the learning rate, or give the optimizer an eps, if it divides by zero; "
                "look at what else writes to weights."
            )
        else:
            what = f"{what}; {_last_finite(onset)}, and the steps between were not sampled"
            advice = "Let attach(model, optimizer, every=1) tell the step. " + advice
        return cls._of_weights(name, f"{what}; from there `{name}` gets it.", advice, way)

    @classmethod
    def since_step(
        cls, name: str, weights: Sequence[str], onset: Onset, way: list[Value]
    ) -> Finding:
        """Say since when gradients are so, where nobody looked at the weights in time."""
        return cls._of_weights(
            name,
            f"{quoted(weights)} {_hold(weights)} {cls.values} by now. Gradients do since step "
            f"{onset.step}; {_last_finite(onset)}. Whether a weight or a gradient came first was "
            f"not seen; from there `{name}` gets it.",
            cls.REPLAY,
            way,
        )

    @classmethod
    def gradient_first(
        cls,
        name: str,
        onset: Onset,
        first: str,
        sound: Sequence[str],
        suspects: Sequence[Call],
        way: list[Value],
        *,
        forward_was_finite: bool,
    ) -> Finding:
        """Say that weights are so since a step whose backward began with finite ones.

        ``first``: the parameter nearest to the loss whose gradient was not finite then; ``sound``:
        nearer ones, whose gradients were; ``suspects``: the calls between that have points without
        a finite value or derivative.
        """
        since = (
            f"The weights hold {cls.values} since step {onset.step}: they were finite when it began"
        )
        if not sound:
            since += (
                ", and its backward gave none of them a finite gradient, so that a value of its "
                "forward, its data or the gradient of its loss came first"
            )
        else:
            since += (
                f", and its backward gave `{first}` a gradient that was not, while {_of(sound)}"
            )
            if forward_was_finite:
                since += " finite, so that a gradient came first, and not a value of the forward"
            else:
                since += " finite"
        there = "Between them" if sound else "In such a step"
        told = list(dict.fromkeys(f"{phrase(call)} {at(call.chain)}" for call in suspects))
        if len(told) == 1:
            since += f". {there}, only {told[0]} has points without a finite value or derivative"
        elif told:
            more = f" and {len(told) - 4} more" if len(told) > 4 else ""
            since += (
                f". {there}, these have points without a finite value or derivative: "
                f"{', '.join(told[:4])}{more}"
            )
        places = {call.place for call in suspects}
        advice = cls.REPLAY
        made = suspects[0] if forward_was_finite and len(places) == 1 else None
        if made is not None:
            advice = (
                "Add an eps inside of it, or clamp what goes into it, and load weights from before."
            )
        return cls._of_weights(name, f"{since}. From there `{name}` gets it.", advice, way, made)

    @classmethod
    def _of_weights(
        cls, name: str, detail: str, advice: str, way: list[Value], call: Call | None = None
    ) -> Finding:
        place = None if call is None else call.place
        return cls._found(detail, advice, place, way, stopped_by=f"{cls.values} in weights")

    @classmethod
    def _spread(
        cls, name: str, what: str, advice: str, call: Call, way: list[Value], stop: Value | None
    ) -> Finding:
        detail = f"{what[0].upper() + what[1:]}, and from there `{name}` gets it."
        return cls._at_call(detail, advice, call, way, stop)


def _hold(names: Sequence[str]) -> str:
    return "holds" if len(names) == 1 else "hold"


def _of(names: Sequence[str]) -> str:
    return f"that of {quoted(names)} was" if len(names) == 1 else f"those of {quoted(names)} were"


def _last_finite(onset: Onset) -> str:
    if onset.finite_at is None:
        return "no sample before it was finite"
    return f"those of step {onset.finite_at} were finite"


class Overwritten(Cause):
    """A useful gradient was there, and the script or a library wrote over it before the step."""

    word = "overwritten"

    ADVICE: ClassVar[dict[str, str]] = {
        "zero_grad": "Call zero_grad() before backward(), not between backward() and step().",
        "clip_grad_norm_": "Give it a max_norm above zero.",
        "clip_grad_value_": "Give it a clip_value above zero.",
        "unscale_": "Look at the scale of the GradScaler: divided by it, nothing is left.",
    }
    """Against zeros, by what was called."""
    LEAVE: ClassVar[str] = (
        "Leave .grad as it is between backward() and optimizer.step(), or write to a copy of it; "
        "if it may not train, requires_grad_(False) says so to every optimizer."
    )

    @classmethod
    def by_zeros(
        cls, name: str, overwriting: Overwriting, culprits: Sequence[str], way: list[Value]
    ) -> Finding:
        """Name the write; ``culprits``: parameters whose gradients were not finite before it."""
        write = overwriting.write
        if write is None or not (culprits and _multiplies(write.by)):
            advice = cls.LEAVE if write is None else cls.ADVICE.get(write.by, cls.LEAVE)
            return cls._written(name, "zeros", overwriting, advice, way)
        which = f"`{culprits[0]}`"
        advice = (
            f"Mend {which} first: the backward made its gradient infinite or NaN, so the norm of "
            "all of them is, and what they are multiplied by is zero."
        )
        return cls._written(name, "zeros", overwriting, advice, way)

    @classmethod
    def by_nonfinite(
        cls, name: str, overwriting: Overwriting, culprits: Sequence[str], way: list[Value]
    ) -> Finding:
        """Name the write; ``culprits``: parameters whose gradients were not finite before it."""
        advice = "Look at what it is multiplied by, or replaced with: that is not finite."
        if culprits:
            advice = (
                f"Mend `{culprits[0]}` first: the backward made its gradient infinite or NaN, and "
                "the norm of all of them spreads that; error_if_nonfinite=True makes "
                "clip_grad_norm_() raise instead."
            )
        return cls._written(name, "NaN or infinity", overwriting, advice, way)

    @classmethod
    def _written(
        cls, name: str, values: str, overwriting: Overwriting, advice: str, way: list[Value]
    ) -> Finding:
        useful, write = overwriting.useful, overwriting.write
        began = f"The backward {at(useful.chain)} gave `{name}` a gradient"
        if not useful.by_backward:
            began = f"`{name}` had a gradient"
        if write is None:
            return cls._found(
                f"{began}, and something that torch does not show, such as an extension or code "
                f"for arrays, wrote {values} over it before the optimizer could use it.",
                "Look at all that runs between backward() and optimizer.step().",
                way=way,
                stopped_by="overwritten",
            )
        by = named(write.by)
        how = f"{by} {at(write.chain)} made {values} of it"
        if write.size is None:
            how = f"{by} {at(write.chain)} took it away"
        elif write is useful or write.given_out:
            how = f"{values} were written over it by way of {by} {at(write.chain)}"
        return cls._found(
            f"{began}, and {how} before the optimizer could use it.",
            advice,
            write.chain.script,
            way,
            stopped_by=by.strip("`"),
        )


def _multiplies(by: str) -> bool:
    """Return whether a call multiplies gradients by a number, such as one made of their norm."""
    return by.startswith("clip_grad") or any(word in by for word in ("mul", "div"))


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


class WrongBackward(Cause):
    """A custom function's backward is not the derivative of its forward; told when asked."""

    word = "wrong_backward"

    @classmethod
    def found(cls, name: str, deviation: Deviation, way: list[Value]) -> Finding:
        """Name the function and where its backward is; the place is where it was applied."""
        applied = deviation.applied
        function = applied.function.__name__
        at_line = "" if applied.backward_at is None else f" ({applied.backward_at.text})"
        which = f"for its input `{applied.name_of(deviation.position)}`"
        told, advice = cls._told(deviation)
        return cls._found(
            f"The backward of the custom function `{function}`{at_line}, applied "
            f"{at(applied.chain)}, {told} {which}, and `{name}` gets its gradient through that.",
            advice,
            applied.chain.place,
            way,
        )

    @classmethod
    def _told(cls, deviation: Deviation) -> tuple[str, str]:
        mend = (
            "Derive the backward from the forward anew; torch.autograd.gradcheck(), in float64, "
            "shows it element by element."
        )
        if deviation.kind is Kind.FLAT:
            return (
                "passes a gradient on where finite differences of the forward are zero",
                "It may be meant: a straight-through estimator does that. Else the forward does "
                "not depend on the input, and its gradient is zero.",
            )
        if deviation.kind is Kind.MISSING:
            return (
                "gives none where finite differences of the forward are not zero",
                "Return the gradient of this input in its backward, or pass the input detached "
                "when none is meant.",
            )
        if deviation.kind is Kind.FACTOR:
            return (
                f"gives {deviation.factor:.3g} times what finite differences of the forward give",
                "It may be meant: a layer that reverses or scales gradients does that. Else "
                + mend[0].lower()
                + mend[1:],
            )
        return (
            f"is off by {deviation.error:.1%} from finite differences of the forward",
            mend,
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


CAUSES: tuple[type[Cause], ...] = (
    FrozenByScript,
    FrozenByCommand,
    Gated,
    ModuleNotCalled,
    ParameterNotUsed,
    NoGrad,
    Detached,
    NotDifferentiable,
    NotInLoss,
    ZeroGradient,
    Nonfinite,
    Overwritten,
    NotInOptimizer,
    NoBackward,
    *UPDATE_CAUSES,
    WrongBackward,
    Unknown,
)
"""Every cause, in the order of the protocol and of the documentation."""
WORDS = tuple(cause.word for cause in CAUSES)
