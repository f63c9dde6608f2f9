"""A run that a training library begins, feeds, saves and ends through its own hooks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from numbers import Real
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypedDict

from torch import Tensor, nn

from ..base.errors import AttachError, CommandError, TargetError
from ..live.expected import Expected
from ..progress.thresholds import Thresholds
from ..session.attach import attach
from ..session.run import Run, is_failure, job_of

if TYPE_CHECKING:
    from typing import Self

logger = logging.getLogger("gradgate")


class AttachOptions(TypedDict, total=False):
    """The options of :func:`gradgate.probe.attach`, which every integration takes."""

    name: str | None
    group: str | None
    server: str | bool | None
    token: str | None
    every: int | None
    budget: float
    expect: Sequence[str] | Expected
    strict: bool
    script_wins: bool
    thresholds: Thresholds | None
    totals: bool | None
    source: bool
    alone: bool | None
    record: str | Path | None


class LibraryRun:
    """The run of one training at a time; what cannot be done is one warning, and training goes on.

    :meth:`begin` attaches, :meth:`end` detaches. :meth:`state_dict` is what is frozen and gated,
    for the library's checkpoint, and :meth:`load_state_dict` brings it about again.
    """

    def __init__(
        self, package: str, tried: str, options: Mapping[str, Any], *, end_is_told: bool = True
    ) -> None:
        """``package``: the library, as pip calls it; ``tried``: how the versions begin that
        Gradgate is tested with; ``options``: those of ``attach``; ``end_is_told``: the library
        tells of each training that ends well, so that one of which it never told has failed.

        Raises TypeError for an option that ``attach`` does not have.
        """
        for option in options.keys() - AttachOptions.__annotations__.keys():
            raise TypeError(
                f"{option}={options[option]!r} is no option of attach(); "
                f"its options are {', '.join(AttachOptions.__annotations__)}."
            )
        self.run: Run | None = None
        """The run, while one is attached."""
        self._package = package
        self._options = options
        self._end_is_told = end_is_told
        self._saved: dict[str, Any] = {}
        self._to_restore: Mapping[str, Any] = {}
        installed = version(package)
        if not f"{installed}.".startswith(f"{tried}."):
            logger.warning(
                "gradgate: this is %s %s, and Gradgate is tested with %s; if its callback does not "
                "work with yours, call probe.attach(model, optimizer) in the script.",
                package,
                installed,
                tried,
            )

    def begin(
        self,
        model: nn.Module | Mapping[str, nn.Module],
        optimizer: object,
        *,
        name: str | None = None,
        by_hand: bool = False,
    ) -> None:
        """Attach to what is about to be trained, and bring about what a checkpoint had.

        ``optimizer``: one or several, as ``attach`` takes them; ``by_hand``: it is none of
        torch's, and :meth:`step` is called after each of its steps. ``name``: what the library
        calls the training, for where the options have no name. Raises as ``attach`` does for an
        option out of range, and for an expectation that names nothing.
        """
        if self.run is not None:
            self.end(failed=True)
            logger.warning(
                "gradgate: a training began before the last one of the same callback had ended, "
                "so the run of the last one is ended as failed; give each a callback of its own."
            )
        if not (optimizer or by_hand):
            self._warn(
                f"{self._package} trains without an optimizer, so nothing is watched",
                "call probe.attach(model) in the script, and run.step() after each step",
            )
            return
        options = {**self._options, "name": self._options.get("name") or name}
        try:
            self.run = attach(model, None if by_hand else optimizer, **options)  # type: ignore[arg-type]
        except AttachError as error:
            self._warn(f"what {self._package} trains is not watched", str(error))
            return
        if self._end_is_told:
            job_of(self.run).uplink.await_goodbye()
        if self._to_restore != {}:
            self._restore(self.run)

    def step(self) -> None:
        """Mark the end of a step, where the optimizer is none of torch's."""
        if self.run is not None:
            self.run.step()

    def log(self, metrics: Mapping[str, object]) -> None:
        """Log those of a library's metrics that are numbers, at the present step."""
        if self.run is not None:
            self.run.log({name: value for name, value in metrics.items() if _is_number(value)})

    def state_dict(self) -> dict[str, Any]:
        """Return what is frozen and gated, or was when the run ended; empty before the first."""
        if self.run is not None:
            self._saved = self.run.state_dict()
        return self._saved

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Bring about what :meth:`state_dict` returned: now, or when the training begins."""
        self._to_restore = state
        if self.run is not None and state != {}:
            self._restore(self.run)

    def end(self, *, failed: bool = False) -> None:
        """End the run, if there is one; a strict one raises what was expected of it in vain.

        What was frozen and gated goes into checkpoints that are saved afterwards, too.
        """
        self.state_dict()
        run, self.run = self.run, None
        if run is None:
            return
        if failed:
            run.detach(failed=True)
        else:
            run.__exit__(None, None, None)

    def _restore(self, run: Run) -> None:
        state, self._to_restore = self._to_restore, {}
        try:
            run.load_state_dict(state)
        except (CommandError, TargetError) as error:
            self._warn("what the checkpoint has frozen and gated is so no longer", str(error))

    def _warn(self, what: str, why: str) -> None:
        logger.warning("gradgate: %s: %s. Training goes on.", what, why.removesuffix("."))


class HoldsRun:
    """Has the run of what a library trains, and as a context manager ends it with the block.

    That is for libraries whose callbacks hear nothing when training raises.
    """

    library_run: LibraryRun

    @property
    def run(self) -> Run | None:
        """The run, while there is one."""
        return self.library_run.run

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.library_run.end(failed=is_failure(error))


def _is_number(value: object) -> bool:
    """Return whether a metric is a number, which libraries log beside texts, lists and images."""
    return isinstance(value, Real) or (isinstance(value, Tensor) and value.numel() == 1)
