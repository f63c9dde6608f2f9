"""Sends a real server what nobody should, and says what did not end as it ought to."""

from __future__ import annotations

import secrets
from collections import Counter
from contextlib import suppress

import psutil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from gradgate.server.live.connection import Refused
from gradgate.server.live.ingest import decode_frame, frames_of
from gradgate.server.protocol.probe_messages import Bye

from .hostile_frames import AT, NAMES, Mutant
from .probing import FakeProbe, hello
from .serving import ServerProcess

CODES = (1002, 1007, 1008, 1009)
"""How a socket ends whose frame is refused: it is no protocol, no text, not allowed, too large."""
_MOST = 2**53 - 4


class Assault:
    """One server, a run that goes on, and what was tried beside it."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.verdicts: Counter[str] = Counter()
        """How often a frame of a kind was taken or refused."""
        self.faults: list[str] = []
        """What went wrong, in words."""
        self._process = psutil.Process(server.pid)
        self._run = secrets.token_hex(8)
        self._probe: FakeProbe | None = None
        self._seq = 0
        self.other = secrets.token_hex(8)
        self._other = FakeProbe(server, hello(self.other, NAMES))
        self._samples = 0
        self.memory = self.resident

    @property
    def resident(self) -> int:
        """Bytes of memory that the server has."""
        return int(self._process.memory_info().rss)

    @property
    def runs(self) -> tuple[str, str]:
        """The run that mutants were sent for lately, and the one that went on."""
        return self._run, self.other

    def frame(self, mutant: Mutant) -> None:
        """Send a mutant of what comes behind `hello`, and see whether it is taken or refused."""
        if self._probe is None:
            self._begin()
        probe = self._probe
        assert probe is not None
        sent = mutant.numbered(self._seq + 1)
        after = self._seq + 3
        try:
            with suppress(ConnectionClosed):  # which was read before, and is met below
                probe.send(sent.data, text=sent.text)
                if _ends(sent):
                    self._end(mutant, "taken")
                    return
                values = {"sentinel": 1.0}
                probe.send(
                    {"type": "metrics", "seq": after, "step": 1, "time": AT, "values": values}
                )
            probe.until_acked(after)
        except ConnectionClosed as closed:
            self._end(mutant, self._refusal(closed, probe.said))
            return
        except TimeoutError:
            self._end(mutant, "neither stored nor refused")
            return
        self.verdicts[f"{mutant.kind} taken"] += 1
        self._seq = probe.acked
        if self._seq > _MOST:
            self._end(None, "")
            self._run, self._seq = secrets.token_hex(8), 0

    def greeting(self, mutant: Mutant) -> None:
        """Send a mutant of `hello`."""
        with FakeProbe(self.server, None) as probe:
            try:
                probe.send(mutant.data, text=mutant.text)
                probe.receive()
                while probe.said is not None:
                    probe.receive()
                verdict = "taken"
            except ConnectionClosed as closed:
                verdict = self._refusal(closed, probe.said)
            except TimeoutError:
                verdict = "neither stored nor refused"
        self._count(mutant, verdict)

    def watch(self, mutant: Mutant) -> None:
        """Send a mutant of what a page says, and behind it what is refused in any case."""
        address = f"{self.server.ws_url}/api/runs/{self.other}/live"
        with connect(address, max_size=None, compression=None) as page:
            try:
                page.send(mutant.data, text=mutant.text)
                page.send("?")
                while True:
                    page.recv(20)
            except ConnectionClosed as closed:
                rcvd = closed.rcvd
                self._count(mutant, self._judged(rcvd.code, "closed") if rcvd else "fell silent")
            except TimeoutError:
                self._count(mutant, "neither taken nor refused")

    def go_on(self) -> None:
        """Have the other run make a step that is stored, and ask how the server is."""
        self._samples += 1
        self._other.sample(self._samples, [0.5, 0.25])
        self._other.until_acked(self._samples)
        health = self.server.page("/healthz")
        if health.status_code != 200:
            self.faults.append(f"GET /healthz: {health.status_code} {health.text}")

    def close(self) -> None:
        """Let go of the sockets."""
        self._other.close()
        if self._probe is not None:
            self._probe.close()
            self._probe = None

    def log_faults(self) -> list[str]:
        """What the server's log says of faults of its own."""
        lines = self.server.output.splitlines()
        return [each for each in lines if each.startswith(("ERROR", "CRITICAL", "Traceback"))]

    def _begin(self) -> None:
        self._probe = FakeProbe(self.server, hello(self._run, NAMES))
        welcome = self._probe.welcome
        if welcome["type"] != "welcome":
            self.faults.append(f"a good `hello` is answered with {welcome}")
        self._seq = welcome.get("last_seq", 0)

    def _end(self, mutant: Mutant | None, verdict: str) -> None:
        if self._probe is not None:
            self._probe.close()
            self._probe = None
        if mutant is not None:
            self._count(mutant, verdict)

    def _refusal(self, closed: ConnectionClosed, said: str | None) -> str:
        return self._judged(1006 if closed.rcvd is None else closed.rcvd.code, said or "")

    def _judged(self, code: int, sentence: str) -> str:
        if code in CODES and sentence and "cannot store" not in sentence:
            return "refused"
        return f"ended with {code} ({sentence!r})"

    def _count(self, mutant: Mutant, verdict: str) -> None:
        self.verdicts[
            f"{mutant.kind} {verdict if verdict in ('taken', 'refused') else 'fault'}"
        ] += 1
        if verdict not in ("taken", "refused"):
            self.faults.append(f"{mutant.kind} {verdict}: {mutant.data[:300]!r}")


def _ends(mutant: Mutant) -> bool:
    """Return whether a frame says that the job has ended, behind which nothing is acknowledged."""
    if mutant.frame is None:
        return False
    try:
        return any(isinstance(decode_frame(each), Bye) for each in frames_of(mutant.frame))
    except Refused:
        return False
