"""Knows what is around the models: what wraps them, and whether other processes train them, too.

A compiled module and ``DistributedDataParallel`` hold the model, and the model does not know it.
The heap tells of all, but a look at it holds the interpreter for as long as there are objects
(99 ms with 289,000), in whatever thread it is made. So there is one look, when the run is
attached; from then on torch's public hook for registrations tells of every wrapper, since both
kinds register what they wrap
(https://docs.pytorch.org/docs/stable/generated/torch.nn.modules.module.register_module_module_registration_hook.html).
A stage of a pipeline registers nothing: one that is made later is looked for by commands alone.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from torch import Tensor, nn
from torch.nn.modules.module import register_module_module_registration_hook
from torch.nn.parallel import DistributedDataParallel

from ..base.guard import Guard, GuardedHook
from ..base.retry import consistently
from ..base.undo import Handles, Undo, whole
from .ddp import parameters_of
from .dynamo import breaks_graphs, is_compiled, optimized_module
from .heap import living
from .module_hooks import untraced
from .pipelines import splits_backward, stages_of
from .process_group import in_process_group, world_size


class Wrappers:
    """Answers in any thread, without a look at the heap unless it says so, what is around models.

    To be made in the thread that trains. A copy and a pickle of a wrapper are not seen being
    made, and they wrap copies of the models.
    """

    def __init__(self, models: Mapping[str, nn.Module], alone: bool | None = None) -> None:
        """``alone``: no other process of the group trains these models; None: so it is for the
        stages of a pipeline that there are by now."""
        self._models = models
        stages = [] if alone is False or world_size() == 1 else stages_of(models)
        self.stages: list[int] = [stage.stage_index for stage in stages]
        """The numbers of the pipeline's stages that run the models, of several processes'."""
        self.alone = bool(self.stages if alone is None else alone)
        """Whether this process trains the models by itself, whatever process group there is."""
        self._registry = _Registry()
        # It holds the registry and not this object, which would never be collected else.
        guard, handles = Guard(), Handles()
        self._end = Undo(guard, self, handles.remove)
        with whole([self._end]):
            handles.add(
                register_module_module_registration_hook,
                untraced(GuardedHook(guard, self._registry.on_module)),
            )
            if in_process_group():
                self._registry.add(living(DistributedDataParallel))
            compiled = optimized_module()
            if compiled is not None:
                self._registry.add(living(compiled))

    def processes(self) -> int:
        """Return how many processes train the models together."""
        return 1 if self.alone else world_size()

    def in_late_stage(self) -> bool:
        """Return whether the models are stages of a pipeline, made after the run was attached.

        Looks at the heap.
        """
        return self.processes() > 1 and bool(stages_of(self._models))

    def splits_backward(self) -> bool:
        """Return whether a pipeline makes the models' backwards in two parts.

        Looks at the heap.
        """
        return in_process_group() and splits_backward(stages_of(self._models))

    def is_compiled(self) -> bool:
        """Return whether a module of the models is compiled, or wrapped in a compiled one."""
        return consistently(self._look)

    def breaks_graphs(self) -> bool:
        """Return whether no module of the models is compiled with ``fullgraph=True``."""
        return consistently(self._look_for_breaks)

    def reducing(self, parameters: Iterable[Tensor]) -> list[DistributedDataParallel]:
        """Return every ``DistributedDataParallel`` in this process that holds one of them.

        Also where the run was attached to ``ddp.module``, or before the model was wrapped. None
        once the process group is destroyed, for nobody reduces with those any more.
        """
        if not in_process_group():
            return []
        wanted = {id(parameter) for parameter in parameters}
        return [
            wrapper
            for wrapper in self._registry.alive()
            if isinstance(wrapper, DistributedDataParallel)
            and wanted.intersection(map(id, consistently(partial(parameters_of, wrapper))))
        ]

    def _look(self) -> bool:
        return is_compiled(self._modules(), self._registry.alive())

    def _look_for_breaks(self) -> bool:
        return breaks_graphs(self._modules(), self._registry.alive())

    def _modules(self) -> Iterator[nn.Module]:
        return (module for model in self._models.values() for module in model.modules())

    def remove(self) -> None:
        """Watch no longer. Idempotent."""
        self._end()


class _Registry:
    """The wrappers of this process, by their ``id``: a subclass may not be hashable."""

    def __init__(self) -> None:
        self._known: dict[int, weakref.ref[nn.Module]] = {}

    def on_module(self, module: nn.Module, name: str, submodule: object) -> None:
        """Take a wrapper in, as it is given what it wraps."""
        compiled = optimized_module()
        if isinstance(module, DistributedDataParallel) or (
            compiled is not None and isinstance(module, compiled)
        ):
            self._known[id(module)] = weakref.ref(module)

    def add(self, wrappers: Iterable[nn.Module]) -> None:
        """Take wrappers in that are there already."""
        for wrapper in wrappers:
            self._known[id(wrapper)] = weakref.ref(wrapper)

    def alive(self) -> list[nn.Module]:
        """Return those that are alive, and forget the others."""
        found = []
        for key, reference in list(self._known.items()):
            wrapper = reference()
            if wrapper is not None:
                found.append(wrapper)
            elif self._known.get(key) is reference:  # not another's since
                self._known.pop(key, None)
        return found
