"""A store that does not answer keeps the training thread for a bounded time."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import torch.distributed as dist

from gradgate.probe.distributed.store import RankStore, StoreGone
from gradgate.probe.distributed.store_thread import StoreThread

pytestmark = pytest.mark.usefixtures("alone")
HOST = """
import sys, torch.distributed as dist
store = dist.TCPStore("127.0.0.1", 0, 1, is_master=True, wait_for_workers=False)
print(store.port, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def stopped() -> Iterator[RankStore]:
    """A store in a process group, whose host is stopped, as by a debugger or a machine's sleep."""
    dist.destroy_process_group()
    host = subprocess.Popen(
        [sys.executable, "-c", HOST], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert host.stdout is not None
    port = int(host.stdout.readline())
    dist.init_process_group("gloo", store=dist.TCPStore("127.0.0.1", port), rank=0, world_size=1)
    store = RankStore("test")
    store.write("there", 1)
    assert store.read_one("there") == 1
    host.send_signal(signal.SIGSTOP)
    yield store
    host.send_signal(signal.SIGCONT)
    host.communicate(timeout=20)


def test_a_store_that_does_not_answer_is_gone(stopped: RankStore) -> None:
    """After the time that it is given, and from then on at once."""
    thread = StoreThread(stopped, longest=0.1)
    for _ in range(2):
        with pytest.raises(StoreGone, match=r"it has not answered for 0\.1 seconds"):
            thread.run(lambda: stopped.read_one("there"))


def test_what_takes_long_of_itself_is_waited_for() -> None:
    """Only the store's own silence counts; what is done raises where it is waited for."""
    store = RankStore("test")
    thread = StoreThread(store, longest=0.0)
    pause = threading.Event()
    assert thread.run(lambda: (store.count("k"), pause.wait(0.6), store.count("k"))[2]) == 2
    with pytest.raises(ZeroDivisionError, match="division"):
        thread.run(lambda: 1 / 0)
    thread.stop()


def test_a_store_may_be_silent_as_long_as_the_job_would_wait() -> None:
    """That is what init_process_group has set."""
    assert RankStore("test").longest_silence() == 300.0
