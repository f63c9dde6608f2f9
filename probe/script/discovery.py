"""Which models a script trains, told from its optimizers and from the modules that there are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

from torch import Tensor, nn
from torch.optim import Optimizer

from ..base.source import Callers
from ..diagnosis.unregistered import unregistered_layers
from ..model.inner_optimizers import family
from ..torch_compat.heap import living


@dataclass(frozen=True, eq=False)
class Found:
    """What there is to attach to."""

    models: Mapping[str, nn.Module]
    """By the name that the script has for each; a single one has the name ""."""
    optimizers: Sequence[Optimizer]
    spare: frozenset[str]
    """The names of the models of which no optimizer holds anything, beside others."""
    loose: int
    """Tensors that the optimizers hold and no module does."""
    made_at: str | None = None
    """Where the first of the optimizers was made, such as ``train.py:41``."""

    @property
    def given(self) -> nn.Module | Mapping[str, nn.Module]:
        """The models as ``attach`` is given them."""
        return self.models.get("", self.models)

    def keys(self) -> set[int]:
        """Return the identities of all parameters of the models."""
        return {id(each) for model in self.models.values() for each in model.parameters()}


NOTHING_FOUND = Found({}, (), frozenset(), 0)


def find(
    optimizers: Sequence[Optimizer], called: Collection[int], frame: FrameType, *, last: bool
) -> Found:
    """Find the modules that hold what the optimizers train, each the largest that does.

    ``called``: the identities of modules that were called with gradients switched on. One of
    those in training mode that has trainable parameters is found, too, though no optimizer has
    them: that may be what is wrong; one in a plain list of a model is a part of that. Where the
    optimizers have none of any module it is found only if this is the ``last`` look: in a
    functional call a module holds other tensors than it has.
    ``frame``: of the script, in which modules have names.
    """
    outer = outermost(optimizers)
    held = {id(each) for one in outer for group in one.param_groups for each in group["params"]}
    parameters = {root: {id(each) for each in root.parameters()} for root in _roots()}
    trained = [root for root, own in parameters.items() if own & held]
    # Of two that hold the same, such as a model and a container of its layers, the one in use.
    trained.sort(key=lambda root: (id(root) not in called, -len(parameters[root] & held)))
    chosen: list[nn.Module] = []
    covered: set[int] = set()
    for root in trained:
        if (parameters[root] & held) - covered:
            chosen.append(root)
            covered |= parameters[root]
    spare: list[nn.Module] = []
    if chosen or last:
        unregistered = {
            id(layer)
            for root in chosen
            for _, layer in unregistered_layers(dict(root.named_modules()))
        }
        free = [
            root
            for root, own in parameters.items()
            if not own & (held | covered) and id(root) not in unregistered
        ]
        spare = [root for root in free if id(root) in called and _wants_training(root)]
    named = _named([*chosen, *spare], frame)
    beside = frozenset(list(named)[len(chosen) :] if chosen else ())
    return Found(named, outer, beside, len(held - covered))


def with_gradients() -> list[nn.Module]:
    """Return the outermost modules of which a parameter has a gradient."""
    return [root for root in _roots() if any(map(_has_gradient, root.parameters()))]


def _has_gradient(parameter: Tensor) -> bool:
    # PyTorch warns where that of a tensor is asked for which is no leaf.
    return parameter.is_leaf and parameter.grad is not None


def outermost(optimizers: Sequence[Optimizer]) -> list[Optimizer]:
    """Return the optimizers without those that another one of them holds and steps."""
    inner = {id(each) for one in optimizers for each in family(one)[1:]}
    return [one for one in optimizers if id(one) not in inner]


def _wants_training(model: nn.Module) -> bool:
    parameters = list(model.parameters())
    wants = any(each.requires_grad for each in parameters)
    return model.training and wants and all(each.is_leaf for each in parameters)


def _roots() -> list[nn.Module]:
    """Return the living modules that are inside of no other."""
    modules = living(nn.Module)
    inside = {id(child) for module in modules for child in _children(module)}
    return [module for module in modules if id(module) not in inside]


def _children(module: nn.Module) -> Iterable[nn.Module]:
    try:
        return list(module.children())
    except AttributeError:  # its __init__ has not run
        return ()


def _named(models: Sequence[nn.Module], frame: FrameType) -> dict[str, nn.Module]:
    """Give each model a name of its own: the script's, or that of its class."""
    if len(models) == 1:
        return {"": models[0]}
    named: dict[str, nn.Module] = {}
    for model in models:
        name = _variable(model, frame) or type(model).__name__.lower()
        number = 2
        while name in named:
            name = f"{name.rstrip('0123456789')}{number}"
            number += 1
        named[name] = model
    return named


def _variable(model: nn.Module, frame: FrameType) -> str | None:
    """Return the variable, or the attribute of one, by which the script's code has a model."""
    callers = Callers()
    for each in _frames(frame):
        code = each.f_code
        if callers.is_torch(code) or callers.is_own(code):
            continue
        variables: dict[str, object] = dict(each.f_locals)
        for name, value in variables.items():
            if value is model and name != "self":
                return name
        for holder in variables.values():
            for name, value in list(_attributes(holder).items()):
                if value is model:
                    return str(name).lstrip("_")
    return None


def _attributes(holder: object) -> dict[str, object]:
    """Return an object's own attributes; none of one that may run code of the script's for them."""
    if type(holder).__getattribute__ is not object.__getattribute__:  # a module, or a lazy proxy
        return {}
    attributes = getattr(holder, "__dict__", None)
    return attributes if isinstance(attributes, dict) else {}


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
