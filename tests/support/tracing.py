"""Small real traces, and the objects of a tape made by hand."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType

from torch import Tensor, nn

from gradgate.probe.base.guard import Guard
from gradgate.probe.base.source import Callers, Chain
from gradgate.probe.diagnosis.dataflow import Dataflow
from gradgate.probe.diagnosis.modules import ModuleIndex
from gradgate.probe.diagnosis.recorder import TapeRecorder
from gradgate.probe.diagnosis.tape import Call, Value


class Recorded:
    """A step that was written down, with its sizes read."""

    def __init__(self, step: Callable[[], object], model: nn.Module | None = None) -> None:
        """``model``: whose parameters and modules are known; without, every tensor is loose."""
        self.parameters = {} if model is None else dict(model.named_parameters())
        callers = Callers()
        self.index = ModuleIndex({} if model is None else {"": model}, callers)
        guard = Guard()
        recorder = TapeRecorder(self.parameters.values(), self.index, callers, guard)
        recorder.start()
        try:
            step()
        finally:
            recorder.stop()
        self.tape, self.backwards, self.modules = (
            recorder.tape,
            recorder.backward_record,
            recorder.modules,
        )
        self.tape.read_sizes()
        self.backwards.read_sizes()

    @property
    def dataflow(self) -> Dataflow:
        """What came of what."""
        return Dataflow(self.tape, {id(parameter) for parameter in self.parameters.values()})

    @property
    def names(self) -> list[str]:
        """The names of the calls, in the order of the tape."""
        return [call.name for call in self.tape.calls]

    def call(self, name: str) -> Call:
        """Return the only call of this name."""
        (found,) = (call for call in self.tape.calls if call.name == name)
        return found

    def made_by(self, name: str) -> Value:
        """Return what the only call of this name made."""
        (value,) = self.call(name).outputs
        return value

    def leaves(self, tensor: Tensor) -> list[Value]:
        """Return what a leaf held, from one write to the next."""
        return self.tape.leaves.get(id(tensor), [])


def code(file: str, function: str = "forward") -> CodeType:
    """Code that says that it lies in ``file``."""
    compiled = compile("0", file, "eval")
    return compiled.replace(co_name=function)


def chain(*lines: str, entered: str | None = None) -> Chain:
    """A chain of ``file:line``, the innermost first; ``entered``: the function of torch's."""
    split = [line.rpartition(":") for line in lines]
    frames = tuple((code(file), int(number)) for file, _, number in split)
    return Chain(frames, frozenset(), entered)


def call(name: str, at: str = "train.py:7", *, module: str | None = None, index: int = 0) -> Call:
    """A call of a torch function."""
    return Call(index, name, chain(at) if at else chain(), module, None)


def value(made_by: Call | None = None, *, carries: bool = True, floating: bool = True) -> Value:
    """A value that a call made."""
    made = Value(made_by, carries, None, floating, (2,))
    if made_by is not None:
        made_by.outputs.append(made)
    return made
