"""A handler of an engine of PyTorch-Ignite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ignite.engine import Engine, Events
from torch import nn

from .library_run import AttachOptions, HoldsRun, LibraryRun

if TYPE_CHECKING:
    from typing_extensions import Unpack


class GradgateHandler(HoldsRun):
    """Watches what an engine trains: ``GradgateHandler(model, optimizer).attach(trainer)``.

    It takes the options of :func:`gradgate.probe.attach`. As one of the objects of an ignite
    ``Checkpoint`` (``to_save={"gradgate": handler}``) it saves what is frozen and gated.

    An engine asks a handler of exceptions to raise them again, so this is none: where training
    raises, the run fails with the process, also where something catches the error, or at the end
    of ``with GradgateHandler(...) as handler:``.
    """

    def __init__(
        self,
        model: nn.Module | Mapping[str, nn.Module],
        optimizer: object,
        **options: Unpack[AttachOptions],
    ) -> None:
        """``model`` and ``optimizer`` are as :func:`gradgate.probe.attach` takes them."""
        self.library_run = LibraryRun("pytorch-ignite", "0.5", options)
        self._model = model
        self._optimizer = optimizer

    def attach(self, engine: Engine) -> None:
        """Begin with the engine, log what its iterations return, and end with it."""
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._log)
        engine.add_event_handler(Events.COMPLETED, self._end)

    def state_dict(self) -> dict[str, Any]:
        """Return what is frozen and gated."""
        return self.library_run.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Bring about what a checkpoint has, now or when the engine starts."""
        self.library_run.load_state_dict(state_dict)

    def _begin(self, engine: Engine) -> None:
        self.library_run.begin(self._model, self._optimizer)

    def _log(self, engine: Engine) -> None:
        output = engine.state.output
        named = output if isinstance(output, Mapping) else {"output": output}
        self.library_run.log({**named, **engine.state.metrics})

    def _end(self, engine: Engine) -> None:
        self.library_run.end()
