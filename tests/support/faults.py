"""Injects faults into the probe, one at a time, and says which of them reach the training loop.

Usage: python -m tests.support.faults [--all] [--seed N] [--most N] [--part I/N]
           [--job NAME] [--function TEXT]

Every function of the probe that the training thread enters in the jobs of `fault_jobs.py`, while
it attaches and from then to the end of `detach`, is made to raise at its first and at a later
call. A `RuntimeError` and a `MemoryError` must not reach the loop, must leave the weights bit by
bit what they are without Gradgate (where commands change them: what they are with the same
commands, unless it is in their doing), and nothing behind; `attach`
may raise, and then leaves nothing behind. A `KeyboardInterrupt` is the user's, and must come to
the script, and leave nothing behind once the script has detached. The guard itself
(`probe/base/guard.py`) is what holds all that, and gets no faults; nor do generators, and
functions that have no way to fail.
Without --all a sample is tried: each function once.
"""

from __future__ import annotations

import argparse
import dis
import gc
import inspect
import logging
import os
import pickle
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, TypeVar

import torch
import torch._dynamo  # here, and not in each process that is forked
from torch import Tensor, nn
from torch.overrides import _len_torch_function_stack

import gradgate.probe
from gradgate.probe.base.guard import hand_on
from tests.support.fault_jobs import COMMANDED, JOBS, SLOW, TOGETHER, Watch, train

PROBE = str(Path(gradgate.probe.__file__).parent) + os.sep
GUARD = str(Path(PROBE, "base", "guard.py"))
ENTRANCES = frozenset({"attach", "explain", "Run.__init__", "Watch.stop"})
"""What is called by the script itself, or by the one that follows it, and guards its inside."""
HARMLESS = frozenset(
    {
        *("RESUME", "NOP", "LOAD_FAST", "LOAD_CONST", "BUILD_TUPLE", "BINARY_SUBSCR"),
        *("RETURN_VALUE", "RETURN_CONST"),
    }
)
"""What is done by functions that get no faults."""
STEERING = (
    *("steer/", "freeze/", "gates/", "conditions/", "model/commands/", "distributed/"),
    *("session/script_commands.py", "session/checkpoint.py", "session/run.py"),
)
"""Where commands are carried out: a fault in there may keep one from being done, or a gate open."""
BOUNDARY = (
    *("Boundaries._post_hook", "Boundaries._end", "Boundaries._close"),
    *("HookRunner._run", "HookRunner._go_on", "StepCycle.boundary", "StepEnd.run"),
    *("StepEnd._steer", "StepEnd._account_for_gates"),
)
"""What ends a step, and so has commands carried out: a fault in there puts them off by a step.

A rank that has lost one is a step behind the others, which then agree to nothing with it.
"""
PARTING = "Job._may_restore"
"""What decides with the other ranks whether all give back what was frozen: one alone must not."""
PATIENCE = 60
"""Seconds after which a job hangs."""

Answer = TypeVar("Answer")
Trace = Callable[[FrameType, str, object], None]
Calls = dict[str, "Counter[Function]"]
"""How often each job calls each function."""


@dataclass(frozen=True, order=True)
class Function:
    """A function of the probe."""

    file: str
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.file.removeprefix(PROBE)}:{self.line} {self.name}"


@dataclass(frozen=True)
class Fault:
    """An error that a function raises instead of being run."""

    job: str
    function: Function
    call: int
    """Which call of it, from 1."""
    kind: type[BaseException]
    attaching: bool = False
    """It comes about while the models are attached, and not after that."""

    def __str__(self) -> str:
        when = "attaching " if self.attaching else ""
        return f"{self.kind.__name__} in {self.function}, call {self.call}, in {when}{self.job}"


@dataclass(frozen=True)
class Expected:
    """The weights that a job ends with where nothing fails."""

    unwatched: list[Tensor]
    watched: list[Tensor]
    """With a run, and what it commands: without commands they are the same."""


@dataclass(frozen=True)
class Outcome:
    """What became of a job with a fault."""

    fired: bool = False
    reached: str = ""
    """The traceback of what the training loop got."""
    same_bits: bool = True
    left: tuple[str, ...] = ()
    """What was not put back after the end."""
    is_told: bool = False
    """The log tells of it."""
    hung: bool = False
    beside: bool = False
    """The interpreter has printed it, out of a finalizer or as the program ended."""
    swallowed: bool = False
    """An interrupt never came to the script, nor to the interpreter."""

    def wrong(self, fault: Fault) -> str:
        """Say what is wrong; empty if nothing is."""
        if self.hung:
            return "the job hangs"
        if not self.fired:
            return ""
        if fault.kind is KeyboardInterrupt:
            if self.swallowed:
                return "the interrupt was swallowed"
            return f"left behind: {', '.join(self.left)}" if self.left else ""
        if self.reached:
            return "the fault reached the training loop"
        if self.beside:
            return "the fault reached the interpreter"
        if not self.same_bits:
            return "other weights than without the fault"
        return f"left behind: {', '.join(self.left)}" if self.left else ""


def function_of(code: CodeType) -> Function:
    """Return the name under which a function is known here."""
    return Function(code.co_filename, code.co_firstlineno, code.co_qualname)  # type: ignore[attr-defined]


def is_probe(code: CodeType) -> bool:
    """Return whether a function is one of the probe's that may fail: the guard's hold the rest.

    One that calls nothing and looks nothing up, as the backward of the identity, has no way to. A
    generator runs inside of another one, which gets faults.
    """
    own = code.co_filename.startswith(PROBE) and code.co_filename != GUARD
    return own and not (code.co_flags & inspect.CO_GENERATOR or _harmless(code))


@cache
def _harmless(code: CodeType) -> bool:
    return {each.opname for each in dis.get_instructions(code)} <= HARMLESS


def begins(frame: FrameType) -> bool:
    """Return whether a function begins, and no generator goes on."""
    at = frame.f_lasti
    return at < 0 or frame.f_code.co_code[at + 1] == 0  # as RESUME is where a function begins


def counted(job: str, *, attaching: bool = False) -> Counter[Function]:
    """Run a job, and return how often each function of the probe was called.

    ``attaching``: while the models were attached, and not after that.
    """
    calls: Counter[Function] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and begins(frame) and is_probe(frame.f_code):
            calls[function_of(frame.f_code)] += 1

    _watched(job, note, attaching=attaching)
    return calls


def entries(job: str) -> set[Function]:
    """Run a job, and return the functions of the probe that something else calls, but the guard.

    What the guard hands on to is the script's, or torch's own.
    """
    found: set[Function] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and begins(frame) and is_probe(frame.f_code):
            caller = frame.f_back
            while caller is not None and not caller.f_code.co_filename.startswith(PROBE):
                caller = caller.f_back
            if caller is None or caller.f_code is hand_on.__code__:
                found.add(function_of(frame.f_code))

    _watched(job, note)
    return found


def inject(fault: Fault, expected: Expected) -> Outcome:
    """Run a job with a fault."""
    code: CodeType | None = None
    calls = 0
    fired = steers = parts = False

    def act(frame: FrameType, event: str, _: object) -> None:
        nonlocal code, calls, fired, steers, parts
        if event != "call" or fired or not begins(frame):
            return
        called = frame.f_code
        if code is None and called.co_firstlineno == fault.function.line:
            code = called if function_of(called) == fault.function else None
        if called is code:
            calls += 1
            if calls == fault.call:
                fired, steers = True, _steers(frame)
                parts = _is_under(frame, PARTING) or _ends_step(frame)
                raise fault.kind("injected")

    unraised: list[type[BaseException]] = []
    sys.unraisablehook = lambda given: unraised.append(given.exc_type)
    said = _Records()
    logger = logging.getLogger("gradgate")
    logger.addHandler(said)
    logger.propagate = False
    watch = Watch(attaches=True, **_phases(act, attaching=fault.attaching))
    before: dict[str, Any] = {}
    attach = watch.attach

    def attach_and_note(models: Any, optimizers: Any, **options: Any) -> None:
        several = [models] if isinstance(models, nn.Module) else list(models.values())
        before.update(_traces(several, []))
        attach(models, optimizers, **options)

    watch.attach = attach_and_note  # type: ignore[method-assign]
    reached, weights = "", list[Tensor]()
    try:
        weights = train(fault.job, watch)
    except (Exception, KeyboardInterrupt):  # noqa: BLE001  whatever the loop gets
        reached = traceback.format_exc()
    sys.settrace(None)
    if reached and watch.run is not None:
        watch.run.detach(failed=True)
    wanted = expected.unwatched if watch.run is None else expected.watched
    same = bool(reached) or all(map(torch.equal, weights, wanted))
    after = _traces(watch.models, watch.optimizers)
    alone = (reached or parts) and fault.job in TOGETHER
    left = (
        ()
        if alone
        else tuple(what for what, value in after.items() if value != before.get(what, value))
    )
    swallowed = not reached and KeyboardInterrupt not in unraised
    same |= steers and fault.job in COMMANDED
    beside = any(issubclass(kind, Exception) for kind in unraised)
    return Outcome(fired, reached, same, left, said.told, beside=beside, swallowed=swallowed)


def _is_under(frame: FrameType | None, name: str) -> bool:
    """Return whether a function is the one of this name, or called by it."""
    while frame is not None:
        if frame.f_code.co_qualname == name:  # type: ignore[attr-defined]
            return True
        frame = frame.f_back
    return False


def _steers(frame: FrameType) -> bool:
    """Return whether a function does, or is called by, what commands do to a job."""
    return _ends_step(frame) or _is_in_steering(frame)


def _ends_step(frame: FrameType) -> bool:
    own = frame.f_code.co_qualname.startswith(BOUNDARY)  # type: ignore[attr-defined]
    return own or _is_under(frame, "RunState.begin_boundary")


def _is_in_steering(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.removeprefix(PROBE).startswith(STEERING):
            return True
        frame = frame.f_back
    return False


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.told = False

    def emit(self, record: logging.LogRecord) -> None:
        self.told |= "failed inside" in record.getMessage()


def _phases(trace: Trace, *, attaching: bool) -> dict[str, Callable[[], None]]:
    """Return what switches tracing on and off as a job attaches its models."""
    on, off = partial(sys.settrace, trace), partial(sys.settrace, None)
    return {"begins": on, "began": off} if attaching else {"began": on}


def _watched(job: str, note: Trace, *, attaching: bool = False) -> None:
    watch = Watch(attaches=True, **_phases(note, attaching=attaching))
    try:
        train(job, watch)
    finally:
        sys.settrace(None)


def _traces(models: Iterable[nn.Module], optimizers: Iterable[Any]) -> dict[str, Any]:
    """Return what a run changes while it is attached, as it is now."""
    found: dict[str, Any] = {
        "modes": _len_torch_function_stack(),
        "thresholds": gc.get_threshold(),
        "grad mode": torch.is_grad_enabled(),
        "patched": [
            f"{owner.__name__}.{name}"
            for owner, names in _PATCHED.items()
            for name in names
            if hasattr(getattr(owner, name, None), "gradgate_standing")
        ],
        "zero_grad": [o for o in optimizers if "zero_grad" in vars(o)],
        "step hooks": [
            o for o in optimizers if o._optimizer_step_pre_hooks or o._optimizer_step_post_hooks
        ],
    }
    for each in models:
        for path, module in each.named_modules():
            hooks = (
                module._forward_hooks,
                module._forward_pre_hooks,
                module._load_state_dict_post_hooks,
            )
            found[f"hooks of {path!r}"] = sum(map(len, hooks))
            found[f"mode of {path!r}"] = module.training
    return found


_PATCHED: dict[Any, tuple[str, ...]] = {
    Tensor: (
        "register_hook",
        "register_post_accumulate_grad_hook",
        "retain_grad",
        "_make_subclass",
    ),
    nn.Parameter: ("requires_grad_", "requires_grad"),
    nn.Module: ("_apply",),
    torch.autograd: ("_engine_run_backward",),
    torch.autograd.graph: ("get_gradient_edge", "_get_grad_fn_or_grad_acc"),
    torch.amp.GradScaler: ("scale", "_unscale_grads_"),
    torch.nn.utils.clip_grad: ("_get_total_norm", "_clip_grads_with_norm_"),
    torch: ("from_numpy",),
    torch.inference_mode: ("__enter__",),
}


def forked(work: Callable[[], Answer]) -> Answer | None:
    """Do something in a process of its own; None where it did not come to its end."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        signal.alarm(PATIENCE)
        os.environ.pop("GRADGATE_STRICT", None)
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        try:
            with tempfile.TemporaryDirectory() as folder:
                os.environ["GRADGATE_SPOOL"] = folder
                answer = pickle.dumps(work())
        except BaseException:  # noqa: BLE001  nobody else tells of it
            answer = pickle.dumps(None)
            os.write(2, traceback.format_exc().encode())
        with os.fdopen(writer, "wb") as stream:
            stream.write(answer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        told = stream.read()
    os.waitpid(child, 0)
    return pickle.loads(told) if told else None


def found_calls(jobs: Iterable[str] = JOBS, *, attaching: bool = False) -> Calls:
    """Return, of each job, how often it calls each function of the probe."""
    return {job: forked(partial(counted, job, attaching=attaching)) or Counter() for job in jobs}


def all_faults(calls: Calls, *, attaching: bool = False) -> Iterator[Fault]:
    """Yield every fault: each function, in each job that calls it, but those that guard it."""
    for job, functions in calls.items():
        for function, times in sorted(functions.items()):
            if function.name in ENTRANCES:
                continue
            for call in sorted({1, times // 2 + 1}):
                for kind in (RuntimeError, MemoryError, KeyboardInterrupt):
                    yield Fault(job, function, call, kind, attaching)


def sampled_faults(faults: Iterable[Fault], seed: int) -> list[Fault]:
    """Return a fault for each function, by chance in one of the jobs and of one of the kinds.

    One that is also called while models are attached has one more for that. Where one is called in
    several jobs, the slow ones are left out.
    """
    chance = random.Random(seed)
    by_function: dict[tuple[Function, bool], list[Fault]] = {}
    for fault in faults:
        by_function.setdefault((fault.function, fault.attaching), []).append(fault)
    found = (faults for _, faults in sorted(by_function.items()))
    quick = ([each for each in faults if each.job not in SLOW] or faults for faults in found)
    return list(map(chance.choice, quick))


def attempt(fault: Fault, expected: Expected) -> Outcome:
    """Inject a fault in a process of its own."""
    return forked(lambda: inject(fault, expected)) or Outcome(hung=True)


def weights_without(job: str) -> Expected:
    """Return the weights that a job ends with where nothing fails."""
    unwatched, watched = (forked(partial(_weights, job, attaches=a)) for a in (False, True))
    assert unwatched is not None, f"{job} does not run"
    assert watched is not None, f"{job} does not run with Gradgate"
    assert job in COMMANDED or all(map(torch.equal, unwatched, watched)), f"{job} is changed"
    return Expected(unwatched, watched)


def _weights(job: str, *, attaches: bool) -> list[Tensor]:
    return train(job, Watch(attaches=attaches))


def main() -> None:
    """Inject faults, and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--all", action="store_true", help="every fault, and not one a function")
    parser.add_argument("--seed", type=int, default=14)
    parser.add_argument("--most", type=int, help="so many of them at most, by chance")
    parser.add_argument(
        "--part", default="1/1", help="a part of them, such as 2/5, so that several runs try all"
    )
    parser.add_argument("--job", choices=tuple(JOBS))
    parser.add_argument(
        "--function", default="", help="only functions that have this in their name"
    )
    parser.add_argument(
        "--traceback", action="store_true", help="print those that reached the loop"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()
    jobs = [job for job in JOBS if options.job in (None, job)]
    calls, attaching = found_calls(jobs), found_calls(jobs, attaching=True)
    functions = {each for found in (*calls.values(), *attaching.values()) for each in found}
    faults = [*all_faults(calls), *all_faults(attaching, attaching=True)]
    faults = faults if options.all else sampled_faults(faults, options.seed)
    faults = [fault for fault in faults if options.function in str(fault.function)]
    random.Random(options.seed).shuffle(faults)
    part, parts = map(int, options.part.split("/"))
    faults = faults[part - 1 :: parts][: options.most]
    expected = {job: weights_without(job) for job in calls}
    began, wrong, fired, untold = time.monotonic(), Counter[str](), 0, 0
    places: set[Function] = set()
    for fault in faults:
        outcome = attempt(fault, expected[fault.job])
        fired += outcome.fired
        if outcome.fired and not (outcome.is_told or fault.kind is KeyboardInterrupt):
            untold += 1
            print(f"the log said nothing: {fault}", flush=True)
        problem = outcome.wrong(fault)
        if problem:
            wrong[problem.partition(":")[0]] += 1
            places.add(fault.function)
            print(f"{problem}: {fault}", flush=True)
            if options.traceback and outcome.reached:
                print(outcome.reached)
    print(
        f"{len(functions)} functions in {len(calls)} jobs, {len(faults)} faults, {fired} of them "
        f"came about, of {untold} the log said nothing, {wrong.total()} went wrong in "
        f"{len(places)} functions "
        f"({dict(wrong)}), {time.monotonic() - began:.0f} s"
    )
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
