"""The connection to the server: a background thread that the training thread never waits for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
import weakref
from functools import partial

from websockets.exceptions import InvalidHandshake, WebSocketException

from ..base.guard import Guard
from ..spool.folder import SpoolFolder, bytes_of
from .address import ServerAddress
from .ages import Ages
from .answers import Answers
from .backoff import Backoff
from .conversation import Conversation, Ending, Peer, hello_of, put_logged
from .leftovers import send_leftovers
from .loss import warn_of_loss
from .outbox import Outbox
from .server_messages import ForeignMessage, Message, Refusal
from .sockets import connected

logger = logging.getLogger("gradgate")

FIRST_TRY = 2.0
"""Seconds that the end of a job, and who looks at a run, wait for the first try to connect."""
TICK = 1.0
"""Seconds between two looks at what waits in memory."""
AT_ONCE = 0.0
"""The pause before the next try where a frame was left out, of which there are few."""
ON_DISK_WITHIN = 5.0
"""Seconds within which what no server has stored is on the disk."""


class Connection:
    """Talks to the server until closed; connects again, with pauses, whenever it must.

    It holds its peer weakly: a run whose model and optimizer are gone is not kept alive by
    its own thread, and the thread ends.
    """

    def __init__(
        self,
        address: ServerAddress,
        outbox: Outbox,
        guard: Guard,
        peer: Peer,
        folder: SpoolFolder | None,
    ) -> None:
        """``folder``: where earlier jobs have left what they could not send."""
        self._address = address
        self._outbox = outbox
        self._guard = guard
        self._peer = weakref.ref(peer)
        self._answers = Answers()
        self._ending = Ending()
        self._said: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.connected = threading.Event()
        self._known = False
        """Whether a server has welcomed the run, and so had its table."""
        self._tried = threading.Event()
        """The first try to connect has had an outcome."""
        self._thread = threading.Thread(target=self._run, name="gradgate-link", daemon=True)
        self._folder = folder
        self._leftovers: asyncio.Task[None] | None = None
        self._has_left = False
        self._begun = time.monotonic()
        self._backoff = Backoff()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wait_tried(self) -> None:
        """Wait until the first try to connect has had an outcome, or has had time for one."""
        self._tried.wait(max(0.0, self._begun + FIRST_TRY - time.monotonic()))

    def answer(self, message: Message) -> None:
        """Send a message that is not sequenced, over the present connection only; any thread."""
        self._answers.put(message)

    def await_goodbye(self) -> None:
        """Take a job that is gone without :meth:`close` for one that has failed."""
        self._ending.vanished_is_failed = True

    def close(self, bye: Message, timeout: float) -> None:
        """End the thread, after a goodbye; what no server has stored by then goes to disk.

        Waits ``timeout`` seconds at most, and only for a server that answers.
        """
        deadline = time.monotonic() + timeout
        # A job of a few milliseconds ends before the first try to connect has.
        self._tried.wait(min(timeout, FIRST_TRY))
        if self.connected.is_set():
            self._outbox.wait_empty(max(0.0, deadline - time.monotonic()))
        self._ending.bye = bye
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop may have ended by itself
                self._loop.call_soon_threadsafe(self._ending.asked.set)
        if self._thread.ident is not None:  # it was started
            self._thread.join(max(0.1, deadline - time.monotonic()))
        self._leave(bye)

    def _run(self) -> None:
        try:
            with self._guard:
                asyncio.run(self._keep_connected())
        finally:
            self._tried.set()
        if self._peer() is None:
            with self._guard:
                self._leave(self._ending.bye or self._ending.goodbye())

    async def _keep_connected(self) -> None:
        self._loop = asyncio.get_running_loop()
        keeping = asyncio.create_task(self._keep_on_disk())
        while not self._ending.asked.is_set() and self._peer() is not None:
            attempt = asyncio.create_task(self._try())
            ending = asyncio.create_task(self._ending.asked.wait())
            await asyncio.wait({attempt, ending}, return_when=asyncio.FIRST_COMPLETED)
            ending.cancel()
            if not self.connected.is_set() and not attempt.done():
                attempt.cancel()
            # Guarded one by one: a fault of the probe's own ends the conversation, not the link.
            pause = None
            with self._guard, contextlib.suppress(asyncio.CancelledError):
                pause = await attempt
            if pause == AT_ONCE:  # the server is there, and whoever waits for it may go on to
                continue
            self.connected.clear()
            self._tried.set()
            self._spill()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._backoff.foreign() if pause is None else pause):
                    await self._ending.asked.wait()
        keeping.cancel()

    async def _keep_on_disk(self) -> None:
        """Write to disk what memory has no room for, and what no server has stored in time."""
        ages = Ages(ON_DISK_WITHIN, time.monotonic())
        while True:
            await asyncio.sleep(TICK)
            too_old = ages.too_old(time.monotonic(), self._outbox.newest)
            if self._outbox.crowded or self._outbox.holds(too_old):
                self._spill()

    def _spill(self) -> None:
        put_logged(self._peer, self._guard)
        with self._guard:
            self._outbox.spill(partial(hello_of, self._peer))

    async def _try(self) -> float:
        """Connect and talk until the connection ends; return the pause before the next try."""
        shown = self._address.shown
        welcomed: float | None = None
        try:
            async with connected(self._address) as socket:
                conversation = Conversation(
                    socket, self._outbox, self._answers, self._peer, self._guard, self._ending
                )
                self._welcomed(await conversation.open(known=self._known))
                welcomed = time.monotonic()
                try:
                    await conversation.talk()
                finally:
                    self._backoff.held(time.monotonic() - welcomed)
        except Refusal as refusal:
            if refusal.seq is not None and self._outbox.refuse(refusal.seq):
                self._say_once(
                    f"the dashboard at {shown} did not take one message of this run, which is "
                    f"dropped, and all others are sent: {refusal} Please report it."
                )
                return AT_ONCE
            self._say_once(f"the dashboard at {shown} refused: {refusal}")
            if not refusal.retry:
                return self._backoff.refused()
        except ForeignMessage as foreign:
            self._say_once(
                f"what answers at {shown} does not speak Gradgate's protocol "
                f"({foreign}); check the address. Training goes on."
            )
            return self._backoff.foreign()
        except InvalidHandshake as error:
            self._say_once(
                f"what answers at {shown} is no dashboard, or a proxy before it "
                f"({error}); check the address. Training goes on."
            )
            return self._backoff.foreign()
        except (OSError, WebSocketException):
            if welcomed is None:
                self._say_once(
                    f"no dashboard at {shown}; training goes on, and this run appears "
                    "there as soon as one is started (gradgate serve)."
                )
            else:
                self._say_once(
                    f"the connection to {shown} broke; training goes on, and what is measured "
                    "meanwhile is sent once there is another."
                )
        return self._backoff.failed()

    def _welcomed(self, welcome: Message) -> None:
        """Let the job know that it is watched."""
        logger.info("gradgate: watched at %s/runs/%s", self._address.shown, welcome["run"])
        self.connected.set()
        self._known = True
        self._tried.set()
        if self._folder is not None and self._leftovers is None:
            sending = send_leftovers(self._folder, self._address, self._guard)
            self._leftovers = asyncio.create_task(sending)

    def _leave(self, bye: Message) -> None:
        """Leave on disk what no server has stored, and say where; once."""
        if self._has_left:
            return
        self._has_left = True
        # A server that knows the run has to hear of its end, though it may have all else.
        alone = self._known and not self._ending.is_stored
        left = self._outbox.leave(partial(hello_of, self._peer), bye, alone=alone)
        if left is not None:
            logger.warning(
                "gradgate: not all of this run has reached %s; what is missing lies in %s (%s "
                "KiB). `gradgate send` with that file sends it, and so does the next job on this "
                "machine that talks to that dashboard.",
                self._address.shown,
                left,
                f"{bytes_of(left) / 2**10:,.0f}",
            )
        warn_of_loss(
            self._outbox,
            f"{self._address.shown} lacks, as far as is known,",
            "they have not reached it, and the disk has not taken them for later",
        )

    def _say_once(self, text: str) -> None:
        if text not in self._said and len(self._said) < 20:
            self._said.add(text)
            logger.warning("gradgate: %s", text)
