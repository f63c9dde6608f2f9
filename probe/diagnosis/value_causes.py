"""The causes of a gradient that came with values of no use: zeros, NaN, infinity, wrong numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ..base.source import Place
from ..model.onset import Onset
from .backward_check import Deviation, Kind
from .case import Finding
from .cause import Cause
from .gradient_log import Overwriting
from .phrases import at, named, phrase, quoted
from .tape import Call, Value
from .tensor_hooks import Hook
from .zeros import Reason


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
