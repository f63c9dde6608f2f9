"""What the script sets ``requires_grad`` to, of parameters that are frozen by command."""

from __future__ import annotations

import dis
import logging
import sys
import weakref
from collections.abc import Iterable, Sequence

from torch import nn

from ..base.guard import Guard
from ..base.source import Callers
from ..model.table import ParameterTable
from ..torch_compat.patching import FlagListener, Interceptions, requires_grad_writes
from .records import FreezeRecords

logger = logging.getLogger("gradgate")


class ScriptFlags:
    """Keeps what a command froze as it is when the script sets ``requires_grad``, or lets it win.

    A loop that turns it off and on again around each backward (a GAN's, Lightning's) would
    thaw in every step what a person has frozen. It is listened to only while something is, and
    for a step after a thaw: a loop that saved the flag before gives back that of the freeze.
    """

    def __init__(
        self, table: ParameterTable, records: FreezeRecords, guard: Guard, *, win: bool
    ) -> None:
        """``win``: the script's own thaw stands, and ends the freeze."""
        self.win = win
        self.asked: dict[int, str | None] = {}
        """Where the script first asked to train a parameter since it was frozen, as
        ``train.py:41``; None where it went past those that listen. By the parameter's index."""
        self._table = table
        self._records = records
        self._guard = guard
        self._callers = Callers()
        self._told: set[str] = set()
        self._on: set[int] = set()
        """Frozen parameters that the script, when it last set a flag of theirs, switched on."""
        self._thawed: set[int] = set()
        """Parameters that a command has thawed since the last boundary, and of which the script
        may have saved the flag that the freeze had set."""
        # Weakly, so that a run that is dropped without a detach can be collected.
        listener = _listener(weakref.ref(self))
        self._writes = Interceptions(self, guard, requires_grad_writes(listener))

    def follow(self) -> None:
        """Listen for as long as something is frozen by command, or was until this step."""
        self._writes.follow(needed=bool(self._records.freezes or self._thawed))

    def forget(self, indexes: Iterable[int]) -> None:
        """Begin anew with parameters that a command is about."""
        for index in indexes:
            self._thawed.discard(index)
            self._on.discard(index)
            if index in self.asked:
                del self.asked[index]
                # It sets them in each iteration: whatever it set last was for a moment.
                self._records.set_own_flag(index, True)

    def thaw(self, indexes: Sequence[int]) -> None:
        """Begin anew with parameters that a command is about to thaw.

        One that the script would train, and has not just switched on, it may have switched off
        after it has saved what it found.
        """
        saved = [
            index
            for index in indexes
            if index in self._records.freezes
            and index not in self._on
            and (index in self.asked or self._records.own_flag(index))
        ]
        self.forget(indexes)
        self._thawed.update(saved)

    def boundary(self) -> None:
        """Take the script at its word again where a thaw has stood for a step."""
        if self._thawed:
            self._thawed.clear()
            self.follow()

    def note_unheard(self, indexes: Iterable[int]) -> None:
        """Take down parameters that were made trainable past those that listen."""
        for index in indexes:
            self.asked.setdefault(index, None)

    def allows(self, parameter: nn.Parameter, trainable: bool) -> bool:
        """Take in what the script sets; return whether it may."""
        with self._guard:
            index = self._table.index_of.get(id(parameter))
            if index in self._thawed:
                return trainable or self._is_said()
            if index is None or index not in self._records.freezes:
                return True
            (self._on.add if trainable else self._on.discard)(index)
            if trainable and index not in self.asked:
                self.asked[index] = self._place()
                self._tell(index)
            # One that only gives back the flag that it found here (Lightning's) wants nothing.
            if index in self.asked:
                self._records.set_own_flag(index, bool(trainable))
            return self.win or not trainable
        return True

    def _place(self) -> str | None:
        chain = self._callers.chain(sys._getframe(1))
        place = chain.user or chain.place
        return None if place is None else place.text

    def _is_said(self) -> bool:
        """Return whether the line that now sets a flag says ``False``, and gives nothing back."""
        frames = self._callers.chain(sys._getframe(1)).frames
        if not frames:
            return True
        code, line = frames[0]
        lines = [(start, end) for start, end, number in code.co_lines() if number == line]
        return any(
            each.argval is False and any(start <= each.offset < end for start, end in lines)
            for each in dis.get_instructions(code)
        )

    def _tell(self, index: int) -> None:
        where = self.asked[index]
        if where is None or where in self._told:
            return
        self._told.add(where)
        name = self._table.name(index)
        if self.win:
            logger.warning("gradgate: %s thaws %s, which a command has frozen.", where, name)
        else:
            logger.warning(
                "gradgate: %s asks to train %s, which a command keeps frozen; with "
                "attach(..., script_wins=True) the script would decide.",
                where,
                name,
            )


def _listener(flags: weakref.ref[ScriptFlags]) -> FlagListener:
    def listen(parameter: nn.Parameter, trainable: bool) -> bool:
        listening = flags()
        return listening is None or listening.allows(parameter, trainable)

    return listen
