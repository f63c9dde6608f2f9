"""The causes that no traced step shows: what steps did to weights, over many of them."""

from __future__ import annotations

from ..base.source import Place
from .case import Finding
from .cause import Cause


class NotMoving(Cause):
    """A useful gradient is applied, and the weight stays as it is."""

    word = "not_moving"

    COARSE = (
        "Keep the weights in float32 and use autocast for the forward, or let the optimizer keep a "
        "float32 copy or round stochastically; a larger learning rate helps too."
    )

    @classmethod
    def learning_rate(cls, name: str, optimizer: str, place: Place | None) -> Finding:
        """Say that the rate of its group is 0, and no schedule made it so."""
        return cls._still(
            name,
            f"the learning rate of its group in {optimizer} is 0",
            "Give its group a learning rate above 0; freeze what is not to train, which also saves "
            "the work of its gradients.",
            place,
        )

    @classmethod
    def schedule_ended(
        cls, name: str, schedule: str, since_step: int, place: Place | None
    ) -> Finding:
        """Say that a schedule brought the rate of its group to 0; ``place``: of its formula."""
        return cls._still(
            name,
            f"{schedule} brought the learning rate of its group to 0, and since step {since_step} "
            "nothing of the group moves",
            "End the run where its schedule ends, or give the schedule as many steps as the run "
            "has; it counts calls of scheduler.step(), so epochs are not steps.",
            place,
        )

    @classmethod
    def schedule_not_begun(cls, name: str, schedule: str, place: Place | None) -> Finding:
        """Say that a schedule has not raised the rate of its group from 0 yet."""
        return cls._still(
            name,
            f"{schedule} has kept the learning rate of its group at 0 since the first step",
            "Call scheduler.step() after each optimizer.step(), and let a warm-up begin above 0; "
            "it may be meant for the very first steps.",
            place,
        )

    @classmethod
    def rounded(cls, name: str, dtype: str, place: Place | None) -> Finding:
        """Say that the type of the weight is too coarse for updates of this size."""
        return cls._still(
            name,
            f"its updates are smaller than half the spacing of {dtype} at its values, so each is "
            "rounded back to the old weight",
            cls.COARSE,
            place,
        )

    @classmethod
    def mostly_rounded(cls, name: str, dtype: str, lost: float, place: Place | None) -> Finding:
        """Say that the type is too coarse for most elements; ``lost``: their share."""
        return cls._found(
            f"{lost:.0%} of the elements of `{name}` do not move in a step: their updates are "
            f"smaller than half the spacing of {dtype}, so they are rounded back.",
            cls.COARSE,
            place,
        )

    @classmethod
    def tiny(cls, name: str, size: float, place: Place | None) -> Finding:
        """Say that the update is too small for any type; ``size``: to half a float's spacing."""
        return cls._still(
            name,
            f"its updates are at most {size:.1g} of what would move it by a single bit, since its "
            "gradient or its learning rate is so small",
            "It may be meant, where training has converged; else look for what makes the gradient "
            "so small on its way, or raise the learning rate.",
            place,
        )

    @classmethod
    def without_effect(cls, name: str, place: Place | None) -> Finding:
        """Say that it has no effect on the loss, so that its gradient is what rounding leaves."""
        return cls._still(
            name,
            "its gradient is what rounding leaves of zero, as it has no effect on the loss: what "
            "comes after takes out what is added to all, as a normalisation does, or the softmax "
            "of an attention",
            "Nothing is lost; it can be left out (bias=False).",
            place,
        )

    @classmethod
    def clipped(cls, name: str, total: float, place: Place | None) -> Finding:
        """Say that clipping leaves next to nothing; ``total``: norm of all gradients, each step."""
        return cls._still(
            name,
            f"the gradients are clipped to a norm of {total:.2g} in every step, which leaves next "
            "to nothing",
            "Raise the maximum norm of the clipping: values from 0.1 to 10 are usual.",
            place,
        )

    @classmethod
    def not_written(cls, name: str, optimizer: str, place: Place | None) -> Finding:
        """Say that the step wrote nothing to it."""
        return cls._still(
            name,
            f"{optimizer}.step() holds it and wrote nothing to it: the update lands elsewhere, as "
            "in a copy, or is left out",
            "Let step() write its result into the parameter itself, p.copy_(result) for a copy; a "
            "compiled step may have learnt to skip it when it had no gradient.",
            place,
        )

    @classmethod
    def put_back(cls, name: str, optimizer: str, place: Place | None) -> Finding:
        """Say that what the step did is undone before the next."""
        return cls._still(
            name,
            f"{optimizer}.step() moves it, and the script puts the old bits back before the next",
            "Look for what writes old values into it between the steps: load_state_dict(), "
            "copy_(), or an average that is swapped in and out.",
            place,
        )

    @classmethod
    def held(cls, name: str, optimizer: str, place: Place | None) -> Finding:
        """Say that what the step did is undone, at values that a constraint may hold."""
        return cls._still(
            name,
            f"{optimizer}.step() moves it, and the script puts the old bits back before the next; "
            "all of it is at the ends of a range, and each step moves it outwards",
            "It may be meant, where the script keeps it in a range, as by clamp_(): then it is at "
            "the end of that, and a wider one lets it go on; else look for what writes to it.",
            place,
        )

    @classmethod
    def unexplained(cls, name: str, optimizer: str, place: Place | None) -> Finding:
        """Say no more than that it stays as it is."""
        return cls._still(
            name,
            f"{optimizer}.step() leaves every bit of it as it was",
            "Look at the learning rate of its group and at what the optimizer's step does with it.",
            place,
        )

    @classmethod
    def skipped(cls, steps: int, since_step: int) -> Finding:
        """Say that AMP skips every step of the run."""
        return cls._found(
            f"Nothing moves: the gradient scaler, or the script, has skipped each of the last "
            f"{steps} steps, from step {since_step} on, since a gradient of each was not finite at "
            "any scale.",
            "Look for what makes NaN or infinity: the explanations of the parameters whose "
            "gradient is not finite name it.",
        )

    @classmethod
    def _still(cls, name: str, why: str, advice: str, place: Place | None) -> Finding:
        return cls._found(
            f"`{name}` gets a useful gradient and does not move: {why}.",
            advice,
            place,
            stopped_by="does not move",
        )


class MovedWithoutGradient(Cause):
    """A weight changes, though no gradient asks for that."""

    word = "moved_without_gradient"

    @classmethod
    def frozen(cls, name: str, optimizer: str, what: str, place: Place | None) -> Finding:
        """Say that a hand-frozen one goes on; ``what``: of the optimizer moves it."""
        return cls._found(
            f"`{name}` has requires_grad=False, and {optimizer}.step() moves it all the same: a "
            f"gradient of earlier steps is left in its .grad, and {what}.",
            "Set its .grad to None when you freeze it, since an optimizer leaves alone only what "
            "has none; zeros are not enough.",
            place,
            stopped_by="requires_grad=False",
        )

    @classmethod
    def stale(cls, name: str, optimizer: str, place: Place | None) -> Finding:
        """Say that an old gradient is applied again and again."""
        return cls._found(
            f"`{name}` gets no new gradient, and {optimizer}.step() moves it by the one that an "
            "earlier step has left in its .grad.",
            "Clear gradients between steps by optimizer.zero_grad(), which sets them to None.",
            place,
        )

    @classmethod
    def zeros(cls, name: str, optimizer: str, what: str, place: Place | None) -> Finding:
        """Say that zeros move it; ``what``: of the optimizer does that."""
        return cls._found(
            f"The gradient of `{name}` is all zeros, and {optimizer}.step() moves it: {what}.",
            "Where it is not to move, let its .grad be None: zero_grad(set_to_none=True), which "
            "is the default.",
            place,
        )

    @classmethod
    def by_script(cls, name: str) -> Finding:
        """Say that somebody else writes to it."""
        return cls._found(
            f"`{name}` changes without a gradient, and not in a step of an optimizer that "
            "attach() was given: the script itself writes there.",
            "It may be meant: an average of weights, a target network, or weights that are "
            "loaded; else look for what writes to it.",
        )


class NotCleared(Cause):
    """Gradients that a step has applied are there when the next backward adds its own."""

    word = "not_cleared"

    @classmethod
    def found(cls, names: str, optimizer: str, place: Place | None) -> Finding:
        """Name those that pile up, as a subject; ``place``: of the optimizer's step."""
        return cls._found(
            f"{names} not cleared between steps: each backward adds to gradients that "
            f"{optimizer}.step() has applied already, so every step repeats all earlier ones.",
            "Call optimizer.zero_grad() once for each step, before the backward or after the step.",
            place,
        )


class ReplicasDiffer(Cause):
    """Ranks that train one model have weights of different values."""

    word = "replicas_differ"

    ADVICE = (
        "Wrap the model in DistributedDataParallel before the first step, or reduce its gradients "
        "by hand in each; it may be meant, where each rank trains a model of its own."
    )

    @classmethod
    def never_alike(cls, name: str, ranks: str) -> Finding:
        """Say that they began differently, and nothing brings them together."""
        return cls._found(
            f"The ranks do not train one model: nothing that trains is alike on all of them, as "
            f"`{name}`, which differs on {ranks} from rank 0, and no DistributedDataParallel "
            "holds it.",
            cls.ADVICE,
        )

    @classmethod
    def apart(cls, name: str, ranks: str, since_step: int, alike: int) -> Finding:
        """Say that they were alike, and are no longer, without DDP."""
        return cls._found(
            f"`{name}` was alike on all ranks after step {alike} and differs on {ranks} from rank "
            f"0 after step {since_step}, and no DistributedDataParallel holds it.",
            cls.ADVICE,
        )

    @classmethod
    def despite_ddp(cls, name: str, ranks: str, since_step: int, alike: int) -> Finding:
        """Say that they were alike, and are no longer, though DDP holds it."""
        return cls._found(
            f"`{name}` was alike on all ranks after step {alike} and differs on {ranks} from rank "
            f"0 after step {since_step}, though DistributedDataParallel holds it.",
            "Wrap the model again after it was moved or cast; call the wrapper and not the model "
            "inside it; and let nothing that one rank alone knows, as a norm, a random number or "
            "a skipped step, decide how it steps.",
        )


class Exploding(Cause):
    """Gradients have become much larger."""

    word = "exploding"

    @classmethod
    def grown(cls, names: str, worst: str, factor: float, samples: int) -> Finding:
        """Name the parameter that has grown most."""
        return cls._found(
            f"The gradients of {names} have grown {factor:.2g} times within {samples} samples, "
            f"and most of all that of `{worst}`.",
            "Clip their norm, lower the learning rate, or close a gate while the norm is high.",
        )

    @classmethod
    def large(cls, names: str, worst: str, ratio: float) -> Finding:
        """Compare them with the weights; ``ratio``: of norms."""
        return cls._found(
            f"The gradients of {names} are {ratio:.2g} times as large as the weights, and most of "
            f"all that of `{worst}`.",
            "Look at the initialisation, and at normalisation between the layers; clip their norm.",
        )


class Vanishing(Cause):
    """Gradients shrink to nothing on their way to the first layers."""

    word = "vanishing"

    @classmethod
    def found(cls, first: str, last: str, ratio: float) -> Finding:
        """Name both ends; ``ratio``: of an element's root mean square."""
        return cls._found(
            f"An element of the gradient of `{first}` is {ratio:.1g} of one of `{last}`: with "
            "depth the gradient vanishes.",
            "Use residual connections, normalisation, or activations that do not saturate "
            "(relu rather than sigmoid).",
        )


class DeadUnits(Cause):
    """Some units of a layer have had no gradient for long."""

    word = "dead_units"

    @classmethod
    def found(cls, name: str, dead: int, of: int, looks: int) -> Finding:
        """Count them."""
        return cls._found(
            f"{dead} of {of} output units of `{name}` get no gradient: in {looks} looks it was "
            "exactly zero.",
            "Look at what follows them: units that relu keeps at zero do not come back, so try a "
            "smaller learning rate, another initialisation or a leaky activation.",
        )


class UpdateRatio(Cause):
    """Steps are far too small or too large for the weights."""

    word = "update_ratio"

    @classmethod
    def found(cls, names: str, ratio: float, looks: int, lowest: float, highest: float) -> Finding:
        """Give the ratio of norms, and the range that is taken for usual."""
        small = ratio < lowest
        return cls._found(
            f"A step changes the weights of {names} by {ratio:.1g} of their norm (the median, in "
            f"{looks} looks): that is far {'below' if small else 'above'} the usual range of "
            f"{lowest:.0e} to {highest:.0e}.",
            f"Try a {'larger' if small else 'smaller'} learning rate for their group.",
        )


UPDATE_CAUSES: tuple[type[Cause], ...] = (
    NotMoving,
    MovedWithoutGradient,
    NotCleared,
    ReplicasDiffer,
    Exploding,
    Vanishing,
    DeadUnits,
    UpdateRatio,
)
"""Every one, in the order of the protocol and of the documentation."""
