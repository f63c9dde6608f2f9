"""Models and optimizers as they are, to be put back after a step that is to leave no trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..base.undo import whole
from ..torch_compat.modules import OF_EVERY_MODULE, tables
from .kept_tensors import KeptTensors
from .random_generators import keep_generators


class KeptModels:
    """All of a model that a forward, a backward or a step may change, and the random generators.

    Gradients are taken away for the time between, so that those that are there then are new.
    """

    def __init__(self, models: Mapping[str, nn.Module], optimizers: Sequence[Optimizer]) -> None:
        self._tensors = KeptTensors()
        self._gradients: dict[int, tuple[Tensor, Tensor | None]] = {}
        self._stepped: dict[int, Callable[[], None]] = {}
        """By ``id`` of the optimizer: what puts its memory back."""
        modules = {id(m): m for model in models.values() for m in model.modules()}
        self._modules = [KeptModule(module) for module in modules.values()]
        self._options = [_keep_options(optimizer) for optimizer in optimizers]
        self._put_back_generators = keep_generators(modules.values())
        with whole([self.put_back]):
            for module in self._modules:
                self._tensors.add(module.tensors())
                self._take_gradients(module.parameters)
            for optimizer in optimizers:
                self._take_gradients(_held_by(optimizer))

    def keep_leaf(self, leaf: Tensor) -> None:
        """Keep the gradient of a leaf that no model and no optimizer has."""
        self._take_gradients([leaf])

    def keep_stepping(self, optimizer: Optimizer) -> None:
        """Keep what an optimizer is about to change: its parameters, and its memory of them."""
        if id(optimizer) not in self._stepped:
            self._options.append(_keep_options(optimizer))
            self._tensors.add(_held_by(optimizer))
            put_back = _kept(optimizer.state)
            self._stepped[id(optimizer)] = put_back

    def put_back(self) -> None:
        """Let everything be what it was."""
        for module in self._modules:
            module.put_back()
        with torch.no_grad():
            for put_back in (*self._stepped.values(), *reversed(self._options)):
                put_back()
        self._tensors.put_back()
        for tensor, gradient in self._gradients.values():
            if tensor.grad is not gradient:
                tensor.grad = gradient
        self._put_back_generators()

    def _take_gradients(self, tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            if id(tensor) not in self._gradients:
                self._gradients[id(tensor)] = tensor, tensor.grad
                if tensor.grad is not None:
                    self._tensors.add([tensor.grad])
                    if _can_be_assigned(tensor, tensor.grad):
                        tensor.grad = None


def _can_be_assigned(tensor: Tensor, gradient: Tensor) -> bool:
    """Return whether torch lets a gradient be put back, once it has been taken away.

    Of another layout than its tensor, as a dense one of a weight in CSR, it can be written by a
    backward only: such a gradient stays, and its bits are kept.
    """
    return gradient.layout is tensor.layout or gradient.is_sparse


class KeptModule:
    """What one module itself holds: parameters, buffers, children, modes, and attributes."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._training = module.training
        self._tables = [(table, dict(table)) for table in tables(module)]
        self.parameters = list(module.parameters(recurse=False))
        self._buffers = list(module.buffers(recurse=False))
        self._trainable = [(each, each.requires_grad) for each in self.parameters]
        self._attributes = self._own()

    def tensors(self) -> list[Tensor]:
        """Return all tensors that it holds, also those that are no parameters or buffers."""
        plain = [each for each in self._attributes.values() if isinstance(each, Tensor)]
        return [*self.parameters, *self._buffers, *plain]

    def put_back(self) -> None:
        """Let it hold what it held, under the same names."""
        for table, before in self._tables:
            if list(map(id, table.values())) != list(map(id, before.values())):
                table.clear()
                table.update(before)
        for parameter, trainable in self._trainable:
            if parameter.requires_grad != trainable:
                parameter.requires_grad_(trainable)
        for name in self._own().keys() - self._attributes.keys():
            delattr(self._module, name)
        for name, value in self._attributes.items():
            if vars(self._module).get(name) is not value:
                setattr(self._module, name, value)
        self._module.training = self._training

    def _own(self) -> dict[str, Any]:
        """Find the attributes of a user's class; torch's own keep more there than a forward's."""
        if type(self._module).__module__.partition(".")[0] == "torch":
            return {}
        found = vars(self._module).items()
        return {name: value for name, value in found if name not in OF_EVERY_MODULE}


def _held_by(optimizer: Optimizer) -> list[Tensor]:
    return [each for group in optimizer.param_groups for each in group["params"]]


def _keep_options(optimizer: Optimizer) -> Callable[[], None]:
    """Keep the options of its groups, such as a learning rate that a scheduler sets."""
    kept = [
        (group, {name: _kept(value) for name, value in group.items() if name != "params"})
        for group in optimizer.param_groups
    ]

    def put_back() -> None:
        for group, options in kept:
            group.update({name: restored() for name, restored in options.items()})

    return put_back


def _kept(value: Any) -> Callable[[], Any]:
    """Keep a value of an optimizer's; return what gives it back, the same object as before."""
    if isinstance(value, Tensor):
        return _kept_tensor(value)
    if isinstance(value, dict):
        entries = {key: _kept(each) for key, each in value.items()}

        def restored_dict() -> Any:
            value.clear()
            value.update({key: restored() for key, restored in entries.items()})
            return value

        return restored_dict
    if isinstance(value, list):
        items = [_kept(each) for each in value]

        def restored_list() -> Any:
            value[:] = [restored() for restored in items]
            return value

        return restored_list
    return lambda: value


def _kept_tensor(tensor: Tensor) -> Callable[[], Tensor]:
    kept = KeptTensors()
    kept.add([tensor])

    def restored() -> Tensor:
        kept.put_back()
        return tensor

    return restored
