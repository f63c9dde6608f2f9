"""Ranks that take batches and make calls together, with delays on either side.

Usage: python -m tests.support.agreeing RANK SIZE FOLDER SCENARIO...
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from gradgate import probe
from gradgate.probe.base.errors import CommandError
from gradgate.probe.base.guard import Guard
from gradgate.probe.distributed.ranks import Ranks
from gradgate.probe.distributed.store import RankStore
from tests.support.waiting import wait_for
from tests.support.world import play


def joined(patience: float = 20.0) -> Ranks:
    ranks = Ranks.join(Guard(), patience)
    assert ranks is not None
    return ranks


def lockstep(rank: int, size: int) -> object:
    """Steps that end together, after delays that differ; six batches, two of them at once."""
    ranks = joined()
    delays = random.Random(rank)
    taken = []
    for step in range(1, 121):
        time.sleep(0.004 * delays.random())
        dist.all_reduce(torch.ones(1))
        if rank == 0 and step in (5, 20, 21, 50, 90):
            ranks.publish({"number": step})
            if step == 50:
                ranks.publish({"number": -step})
        taken += [[step, batch["number"]] for batch in ranks.receive(step)]
    dist.barrier()
    ranks.leave()
    return taken


def running_ahead(rank: int, size: int) -> object:
    """Hosts that nothing holds together: the others are far ahead of rank 0, as with NCCL."""
    ranks = joined()
    if rank == 0:  # its thread is slow to answer
        answer_after(ranks, lambda: time.sleep(0.2))
    taken: list[int] = []
    step = 0
    while not taken:
        step += 1
        time.sleep(0.02 if rank == 0 else 0.001)
        if rank == 0 and step == 10:
            ranks.publish({})
        taken += [step for _ in ranks.receive(step)]
    dist.barrier()
    ranks.leave()
    return taken


def blocked(rank: int, size: int) -> object:
    """Rank 0 publishes while another is late, and waits for it in the middle of a step."""
    ranks = joined()
    taken: list[int] = []
    step = 0
    while not taken:
        step += 1
        if rank == 1:
            time.sleep(0.3)
        dist.all_reduce(torch.ones(1))
        if rank == 0 and step == 2:
            ranks.publish({})
        taken += [step for _ in ranks.receive(step)]
        # Another collective, in which those who wait for a decision would be missed.
        dist.all_reduce(torch.ones(1))
    dist.barrier()
    ranks.leave()
    return taken


def answer_after(ranks: Ranks, wait: Callable[[], None]) -> None:
    """Let the thread of a rank wait before it promises a boundary."""
    promise = ranks.agreement.promise

    def promise_late() -> int:
        wait()
        return promise()

    ranks.agreement.promise = promise_late  # type: ignore[method-assign]


def mute(rank: int, size: int) -> object:
    """One rank does not answer; what comes after is taken by all again."""
    ranks = joined(0.5)
    if rank == 1:  # its thread answers only after the others have given up, as if it were starved
        start = f"gradgate/0.{size}"
        number = (RankStore(start).read([f"attached/{rank}"]) or [0])[0]
        store = RankStore(f"{start}/{number}")
        answer_after(ranks, lambda: wait_for(lambda: store.read(["batch/0/step"]), message="off"))
    dist.barrier()
    if rank == 0:
        ranks.publish({"number": 1})
        ranks.publish({"number": 2})
    longest = 0.0
    taken: list[Any] = []
    off: list[Any] = []
    step = 0
    done = torch.zeros(1)
    while not done:
        step += 1
        began = time.monotonic()
        taken += [batch["number"] for batch in ranks.receive(step)]
        longest = max(longest, time.monotonic() - began)
        off += ranks.called_off()
        done.fill_(bool(taken))
        dist.all_reduce(done, dist.ReduceOp.MIN)
    dist.barrier()
    ranks.leave()
    return {"taken": taken, "off": off, "longest": longest}


def missing(rank: int, size: int) -> object:
    """The last rank has no run: what is asked is refused by its name, and nobody waits."""
    longest, off = 0.0, []
    ranks = None if rank == size - 1 else joined(0.5)
    dist.barrier()
    if ranks is not None:
        if rank == 0:
            ranks.publish({"number": 1})
        step = 0
        deadline = time.monotonic() + 20
        while rank == 0 and not off and time.monotonic() < deadline:
            step += 1
            began = time.monotonic()
            assert ranks.receive(step) == []
            longest = max(longest, time.monotonic() - began)
            off = ranks.called_off()
            time.sleep(0.005)
        call = failure(lambda: ranks.agree(1, {"kind": "freeze"}, timeout=0.5))
    dist.barrier()  # one that has left would be named, too
    if ranks is not None:
        ranks.leave()
    dist.barrier()
    if ranks is None:
        call = None
        # The k-th run of a rank talks with the k-th of the others: catch up.
        joined().leave()
    return {"off": off, "longest": longest, "call": call}


def failure(call: Callable[[], object]) -> str | None:
    try:
        call()
    except CommandError as error:
        return str(error)
    return None


def attached_late(rank: int, size: int) -> object:
    """The last rank attaches two steps after the others, so its step 1 is their step 3."""
    late = 2 if rank == size - 1 else 0
    ranks: Ranks | None = None
    taken: list[Any] = []
    off: list[Any] = []
    done = torch.zeros(1)
    step = 0
    while not done:
        if step == late and ranks is None:
            ranks = joined(0.5)
        step += 1
        if ranks is not None:
            ranks.begin(step - late)
        dist.all_reduce(torch.ones(1))
        if ranks is not None:
            if rank == 0 and step == 4:
                ranks.publish({"number": 1})
            taken += ranks.receive(step - late)
            off += ranks.called_off()
        done.fill_(bool(off or taken))
        dist.all_reduce(done, dist.ReduceOp.MIN)
    assert ranks is not None
    ranks.leave()
    return {"taken": taken, "off": off}


def calls(rank: int, size: int) -> object:
    """Calls that the script makes: on all ranks, late, on one only, and different ones."""
    ranks = joined()
    same = {"kind": "freeze", "target": "encoder"}

    def late() -> None:
        time.sleep(0.3 * rank)
        ranks.agree(2, same)

    def other() -> None:
        ranks.agree(4, {"kind": "freeze", "target": f"layer{rank}"}, timeout=20)

    noted = {
        "same": failure(lambda: ranks.agree(1, same)),
        "again": failure(lambda: ranks.agree(1, same)),
        "late": failure(late),
        "alone": failure(lambda: ranks.agree(3, same, timeout=0.5)) if rank == 0 else None,
        "other": failure(other),
    }
    if rank != 0:
        noted["after all"] = failure(lambda: ranks.agree(3, same, timeout=20))
    noted["together again"] = failure(lambda: ranks.agree(5, same))
    dist.barrier()
    ranks.leave()
    return noted


def restarted(rank: int, size: int) -> object:
    """Before torchrun started the ranks anew, rank 0 had attached in the same store, alone."""
    if rank == 0:
        joined().leave()
    os.environ["TORCHELASTIC_RESTART_COUNT"] = "1"
    ranks = joined()
    refused = failure(lambda: ranks.agree(1, {}))
    dist.barrier()
    ranks.leave()
    del os.environ["TORCHELASTIC_RESTART_COUNT"]
    if rank != 0:
        joined().leave()  # the k-th run of a rank talks with the k-th of the others: catch up
    return refused


def outcomes(rank: int, size: int) -> object:
    """Every rank posts, and the leader reads when all are there."""
    ranks = joined()
    first = ranks.collect("sums") if rank == 0 else None
    if rank == 0:
        ranks.post("sums", {"rank": 0})
    dist.barrier()
    incomplete = ranks.collect("sums") if rank == 0 else None
    dist.barrier()
    if rank != 0:
        ranks.post("sums", {"rank": rank})
    found = wait_for(lambda: ranks.collect("sums")) if rank == 0 else None
    dist.barrier()
    ranks.leave()
    return {"first": first, "incomplete": incomplete, "found": found}


def two_runs(rank: int, size: int) -> object:
    """Two runs in one process do not hear each other's batches."""
    runs = [joined(), joined()]
    if rank == 0:
        runs[0].publish({"run": 0})
        runs[1].publish({"run": 1})
    taken: list[list[Any]] = [[], []]
    done = torch.zeros(1)
    step = 0
    while not done:
        step += 1
        for run, batches in zip(runs, taken, strict=True):
            batches += run.receive(step)
        done.fill_(all(taken))
        dist.all_reduce(done, dist.ReduceOp.MIN)
    for run in runs:
        run.leave()
    return taken


def parting(rank: int, size: int) -> object:
    """Rank 0 leaves first, and its process with the store may end: does anybody still ask it?"""
    ranks = joined()
    ranks.agree(1, {})
    if rank == 0:
        ranks.leave()
    dist.barrier()
    # What it was told last it may still be acting upon, for a moment.
    for thread in threading.enumerate():
        if thread.name == "gradgate-ranks":
            thread.join(2.0)
    talking = "gradgate-ranks" in {thread.name for thread in threading.enumerate()}
    refused = failure(lambda: ranks.agree(2, {}, timeout=20))
    ranks.leave()
    return {"talking": talking, "problem": ranks.problem, "call": refused}


def destroyed(rank: int, size: int) -> object:
    """The script destroys its process group and goes on: nothing raises and nothing waits."""
    ranks = joined()
    ranks.agree(1, {})
    group = dist.new_group()
    dist.barrier()
    saved = dist.distributed_c10d._world.default_pg
    dist.distributed_c10d._update_default_pg(None)
    try:
        wait_for(lambda: ranks.problem, message="the thread notices")
        began = time.monotonic()
        taken = ranks.receive(2)
        refused = failure(lambda: ranks.agree(2, {"kind": "freeze"}))
        if rank == 0:
            ranks.publish({"number": 1})
        off = ranks.called_off()
        ranks.leave()
        took = time.monotonic() - began
    finally:
        dist.distributed_c10d._update_default_pg(saved)
    dist.destroy_process_group(group)
    return {"taken": taken, "call": refused, "off": off, "took": took}


def left_at_a_gate(rank: int, size: int) -> object:
    """Train with a gate whose norm all ranks have to tell, and let the last rank detach alone."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    wrapped = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = probe.attach(model, optimizer, server=False)
    run.gate("output:0", "norm >= 0", action="scale", factor=2.0)
    closed, took = [], 0.0
    for step in range(8):
        if step == 2 and rank == size - 1:
            run.detach()
        optimizer.zero_grad()
        began = time.monotonic()
        wrapped(torch.randn(3, 4)).square().mean().backward()
        took = max(took, time.monotonic() - began)
        optimizer.step()
        closed.append([gate.closed for gate in run.gates()])
    problems = [gate.problem for gate in run.gates()]
    run.detach()
    weights = [p.detach().tolist() for p in model.parameters()]
    return {"closed": closed, "problems": problems, "took": took, "weights": weights}


def left_with_a_gate(rank: int, size: int) -> object:
    """Train with a gate on a parameter, and let the last rank detach alone, then all of them."""
    model = nn.Linear(4, 2)
    wrapped = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = probe.attach(model, optimizer, server=False)
    run.gate("param:weight", "step % 2 == 0", action="scale", factor=-1.0)
    ranks = run._job.ranks
    assert ranks is not None
    ranks.agree = partial(ranks.agree, timeout=0.5)  # type: ignore[method-assign]
    closed = []
    for step in range(6):
        if (step == 2 and rank == size - 1) or step == 4:
            run.detach()
        optimizer.zero_grad()
        wrapped(torch.randn(3, 4)).square().mean().backward()
        optimizer.step()
        closed.append([gate.closed for gate in run.gates()])
    weights = [p.detach().tolist() for p in model.parameters()]
    return {"closed": closed, "weights": weights}


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        lockstep,
        running_ahead,
        blocked,
        mute,
        missing,
        attached_late,
        calls,
        restarted,
        outcomes,
        two_runs,
        parting,
        left_at_a_gate,
        left_with_a_gate,
        destroyed,
    )
}

if __name__ == "__main__":
    play(SCENARIOS)
