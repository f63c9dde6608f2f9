"""The sentences about a gradient that never came, or that nobody uses: one function for each."""

from __future__ import annotations

from collections.abc import Sequence

from ..base.source import Chain, Place
from ..model.freeze import Freeze
from ..model.gate_info import GateInfo
from . import explanation as causes
from .finding import Finding
from .phrases import at, spoken
from .tape import Call, Value

_CASTS = frozenset({"long", "int", "short", "byte", "char", "bool", "to", "type", "type_as"})


def frozen_by_command(name: str, freeze: Freeze) -> Finding:
    """A command of Gradgate's froze it."""
    number = "" if freeze.command is None else f" (command {freeze.command})"
    return Finding(
        causes.FROZEN_BY_COMMAND,
        f"`{name}` was frozen by {freeze.by}{number} at step {freeze.since_step}, mode "
        f"`{freeze.mode}`.",
        "Thaw it when it ought to train.",
        stopped_by="freeze",
    )


def frozen_by_script(name: str, place: Place | None) -> Finding:
    """``requires_grad`` is False, and Gradgate did not do that."""
    since = "" if place is None else f", set at {place.text}"
    return Finding(
        causes.FROZEN_BY_SCRIPT,
        f"`{name}` has requires_grad=False{since}, and no command of Gradgate's froze it.",
        "If it ought to train, set requires_grad_(True) before the optimizer is made; it may be "
        "meant, as for a pretrained backbone.",
        place,
        stopped_by="requires_grad=False",
    )


def gated(name: str, gate: GateInfo, place: Place | None, way: list[Value]) -> Finding:
    """A closed gate kept the gradient away."""
    return Finding(
        causes.GATED,
        f"Gate {gate.id} at {gate.site}, closed when `{gate.when}`, kept the gradient from "
        f"`{name}`.",
        "Pause or remove the gate, or change its condition, when the parameter ought to train.",
        place,
        way,
        stopped_by=f"gate {gate.id}",
    )


def not_in_optimizer(name: str, way: list[Value]) -> Finding:
    """Its gradient is fine, and nobody applies it."""
    return Finding(
        causes.NOT_IN_OPTIMIZER,
        f"`{name}` gets a gradient, and is in no group of the optimizer, so nothing changes it.",
        "Make the optimizer after all layers are in place, or add them with "
        "optimizer.add_param_group().",
        way=way,
        stopped_by="not in the optimizer",
    )


def not_registered(name: str, call: Call, container: str, way: list[Value]) -> Finding:
    """It is used, and is a parameter of no module."""
    held = "is a plain tensor" if container == "tensor" else f"is held in a plain {container}"
    advice = (
        "Make it an nn.Parameter."
        if container == "tensor"
        else "Hold the layers in an nn.ModuleList or nn.ModuleDict (parameters in an "
        "nn.ParameterList), or assign them to attributes of their own."
    )
    return Finding(
        causes.NOT_IN_OPTIMIZER,
        f"`{name}` is used {at(call.chain)}, but it {held}, so model.parameters() does not have it "
        "and the optimizer does not either.",
        advice,
        call.place,
        way,
        stopped_by=f"a plain {container}",
    )


def no_backward(name: str, place: Place | None, another: bool, way: list[Value]) -> Finding:
    """No backward was called; ``another``: one was, on something else."""
    value = "what it leads to" if place is None else f"what it leads to, the value of {place.text}"
    advice = "Call loss.backward(), with its parentheses, before optimizer.step()."
    if another:
        advice = "Add the value to the loss before loss.backward(), or call backward() on it too."
    return Finding(
        causes.NO_BACKWARD,
        f"`{name}` got no gradient, because backward() was not called on {value}.",
        advice,
        place,
        way,
        way[-1] if way else None,
        "no backward",
    )


def cleared(name: str, place: Place | None, way: list[Value]) -> Finding:
    """A gradient arrived, and was taken away before the step."""
    where = "" if place is None else f" at {place.text}"
    return Finding(
        causes.NO_BACKWARD,
        f"A gradient reached `{name}`, and was cleared{where} before the optimizer could use it, "
        "with no backward after that.",
        "Call zero_grad() before backward(), not between backward() and step().",
        place,
        way,
        stopped_by="cleared",
    )


def taken_by_nobody(name: str, chain: Chain, way: list[Value]) -> Finding:
    """``autograd.grad`` returned it, and nobody put it where an optimizer looks."""
    return Finding(
        causes.NO_BACKWARD,
        f"`grad()` {at(chain)} returned a gradient for `{name}`, and nothing put it into its "
        "`.grad` or into the parameter.",
        "Set the parameter's .grad to it before optimizer.step(), or call loss.backward() instead.",
        chain.place,
        way,
        stopped_by="grad()",
    )


def left_out(name: str, place: Place | None, way: list[Value]) -> Finding:
    """The backward was restricted to other inputs."""
    where = "" if place is None else f" at {place.text}"
    return Finding(
        causes.NO_BACKWARD,
        f"The backward{where} was asked for the gradients of given inputs only, and `{name}` is "
        "not one of them.",
        "Add it to the inputs, or call loss.backward() without them.",
        place,
        way,
        stopped_by="inputs=",
    )


def module_not_called(name: str, module: str, caller: str | None, place: Place | None) -> Finding:
    """Its module did not run."""
    at_line = "" if place is None else f" ({place.text})"
    called = "nothing called it in this step"
    if caller is not None:
        called = f"the forward of {caller}{at_line} did not call it in this step"
    return Finding(
        causes.MODULE_NOT_CALLED,
        f"`{name}` belongs to {module}, and {called}.",
        "Call the module in the forward, or remove it; it may be meant, as for a branch that this "
        "step did not take.",
        place,
        stopped_by=f"{module.strip('`')} is not called",
    )


def parameter_not_used(name: str, module: str, place: Place | None) -> Finding:
    """Its module ran without it."""
    where = "" if place is None else f" ({place.text})"
    return Finding(
        causes.PARAMETER_NOT_USED,
        f"{module[0].upper() + module[1:]} ran{where}, and used `{name}` in nothing that it "
        "computed.",
        "Use the parameter in the forward, or remove it.",
        place,
        stopped_by="not used",
    )


def no_grad(
    name: str,
    call: Call,
    chain: Chain,
    way: list[Value],
    after: Value,
    *,
    reentrant: bool,
    more: Sequence[Place],
) -> Finding:
    """It was used while gradients were off."""
    switch = call.switched_off
    by = "no_grad" if switch is None else switch.by
    if reentrant:
        return Finding(
            causes.NO_GRAD,
            f"`{name}` runs inside a reentrant checkpoint {at(chain)}, none of whose inputs "
            "requires a gradient, so the checkpoint builds no graph.",
            "Pass use_reentrant=False to checkpoint().",
            chain.place,
            way,
            after,
            "checkpoint",
        )
    return Finding(
        causes.NO_GRAD,
        f"`{name}` reaches the loss only through what ran with gradients off: `{by}` "
        f"{at(chain)}{_also(more)}.",
        f"Run it outside of `{by}` when it ought to train; it may be meant, for a frozen encoder.",
        chain.place,
        way,
        after,
        by,
    )


def only_as_a_gradient(name: str, call: Call, way: list[Value], after: Value) -> Finding:
    """The loss has it only in a gradient that ``autograd.grad`` computed."""
    if after.carries:
        return Finding(
            causes.NOT_IN_LOSS,
            f"`{name}` has a part in the loss only through the gradient that `grad()` gives "
            f"{at(call.chain)}, and that does not depend on it.",
            "It may be meant: the last bias has no part in a gradient penalty. Else add what it "
            "computes to the loss itself.",
            call.place,
            way,
            after,
            "grad()",
        )
    return Finding(
        causes.DETACHED,
        f"`{name}` reaches the loss only through the gradient that `grad()` gives "
        f"{at(call.chain)} without create_graph=True.",
        "Pass create_graph=True to grad() when the loss is to be differentiated through it.",
        call.place,
        way,
        after,
        "grad()",
    )


def detached(
    name: str, call: Call, way: list[Value], after: Value, more: Sequence[Place]
) -> Finding:
    """It is cut by detach and its kin."""
    if call.name in ("tensor", "as_tensor", "asarray", "new_tensor"):
        advice = f"{spoken(call)} copies the numbers without their past: use the tensor itself."
    else:
        advice = f"Remove {spoken(call)} when the gradient ought to flow; it may be meant."
    return Finding(
        causes.DETACHED,
        f"`{name}` reaches the loss only through {spoken(call)} {at(call.chain)}{_also(more)}.",
        advice,
        call.place,
        way,
        after,
        spoken(call).strip("`"),
    )


def left_torch(name: str, cut: Call, left: Call, back: Call, way: list[Value]) -> Finding:
    """The values left torch, and came back as numbers."""
    returned = "" if back is left else f", and comes back by {spoken(back)} {at(back.chain)}"
    return Finding(
        causes.DETACHED,
        f"`{name}` leaves torch by {spoken(left)} {at(left.chain)}{returned}; autograd does not "
        "follow numbers.",
        "Compute it with torch functions on the tensor itself, from the parameter to the loss.",
        cut.place,
        way,
        way[-1] if way else None,
        spoken(cut).strip("`"),
    )


def not_differentiable(
    name: str, call: Call, way: list[Value], after: Value | None, more: Sequence[Place]
) -> Finding:
    """The only way leads through something without a derivative."""
    integer = after is not None and not after.floating
    why = "which has no derivative"
    if call.name in _CASTS and integer:
        why = "a cast to whole numbers, which has no derivative"
    return Finding(
        causes.NOT_DIFFERENTIABLE,
        f"`{name}` reaches the loss only through {spoken(call)} {at(call.chain)}, "
        f"{why}{_also(more)}.",
        "Use a smooth stand-in (softmax for argmax, sigmoid for a threshold), or a "
        "straight-through estimator.",
        call.place,
        way,
        after,
        spoken(call).strip("`"),
    )


def returned_nothing(name: str, call: Call, way: list[Value], after: Value | None) -> Finding:
    """A backward gave None."""
    return Finding(
        causes.NOT_DIFFERENTIABLE,
        f"The backward of {spoken(call)} {at(call.chain)} returns no gradient for what leads to "
        f"`{name}`.",
        "Return a gradient for this input in its backward, or leave it out of the function when "
        "that is meant.",
        call.place,
        way,
        after,
        spoken(call).strip("`"),
    )


def not_in_loss(name: str, last: Call | None, root: Place | None, way: list[Value]) -> Finding:
    """It was computed, and the loss does not use it."""
    result = "its result" if last is None else f"the result of {spoken(last)} {at(last.chain)}"
    loss = "a loss" if root is None else f"the loss (backward at {root.text})"
    return Finding(
        causes.NOT_IN_LOSS,
        f"`{name}` was used, but {result} goes into nothing that {loss} depends on.",
        "Add what it computes to the loss, or remove it; it may be meant for an output that is "
        "not trained.",
        None if last is None else last.place,
        way,
        way[-1] if way else None,
        "not in the loss",
    )


def unknown(
    name: str, why: str, place: Place | None = None, way: list[Value] | None = None
) -> Finding:
    """The trace does not tell."""
    return Finding(
        causes.UNKNOWN,
        f"The trace does not tell why `{name}` has no useful gradient: {why}.",
        "Please report it with a small example, if you can make one.",
        place,
        way or [],
    )


def _also(more: Sequence[Place]) -> str:
    if not more:
        return ""
    texts = ", ".join(place.text for place in more[:3])
    left = f" and {len(more) - 3} more" if len(more) > 3 else ""
    return f" (other ways are cut at {texts}{left})"
