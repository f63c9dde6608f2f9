"""The tools that are asked about a job, each in the way that its own documentation shows.

What a tool says counts by its kind (a rule's number, a check's name, a cause), so that it can be
compared with what it says of the same job without the bug. Only warnings and failures count.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator

import guardtower
import torch
import torch_audit
import torchtest2
from torcheck.registry import Registry

from galleries.jobs import Answer, Job
from gradgate import probe

STEPS = 400
"""Iterations of a live job."""
LOOK_EVERY = 20
"""Iterations from one look at what gradgate says to the next, as a person would look."""
MEANT = "frozen_by_script"
"""Said of what the author means to be still."""
HARDWARE = {f"TA20{n}" for n in range(10)}
"""Rules about the shapes that a GPU likes, which are no question here."""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what tools print and warn to themselves."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def ask_guardtower(make: Callable[[], Job]) -> Answer:
    """Audit one step, and watch the forwards of a live job."""
    job = make()
    report = guardtower.audit(job.model, job.loss, optimizer=job.optimizer)
    found = {
        each.catalog_id or each.check: each.message
        for each in report.findings
        if each.severity >= guardtower.Severity.WARN
    }
    job = make()
    with guardtower.monitor(job.model, on_nonfinite="warn") as watched:
        for _ in range(STEPS):
            job.run()
    if watched.hits:
        found["monitor"] = f"non-finite activation in {watched.hits[0]}"
    return answer(found.items())


def ask_torchtest2(make: Callable[[], Job]) -> Answer:
    """Check the model with its batch, loss and optimizer, with every check that applies."""
    job = make()
    report = torchtest2.check_model(
        job.model,
        job.batch[0],
        job.batch[1],
        loss_fn=lambda outputs, targets: (
            job.loss() if job.objective else job.criterion(outputs, targets)
        ),
        optimizer=job.optimizer,
        frozen=[name.removesuffix(".*") for name in job.frozen if not name.startswith("*")],
        overfit_steps=0,  # random targets cannot be learned by heart by a small network
        gradcheck=True,
        detect_anomaly=True,
    )
    bad = (torchtest2.Status.WARN, torchtest2.Status.FAIL)
    return answer((each.name, each.message) for each in report.results if each.status in bad)


def ask_torcheck(make: Callable[[], Job]) -> Answer:
    """Tell it what ought to change and what not, and train."""
    job = make()
    registry = Registry()
    try:
        registry.register(job.optimizer)
        still = [re.escape(name).replace(r"\*", ".*") for name in job.frozen]
        for name, parameter in job.model.named_parameters():
            is_still = any(re.match(pattern, name) for pattern in still)
            if is_still and id(parameter) not in {id(p) for p in registry.tensor_to_optimizer}:
                continue  # it can be told only of what an optimizer holds
            registry.add_tensor(parameter, name, "model", not is_still, True, True)
        for _ in range(STEPS):
            job.run()
    except RuntimeError as error:
        kind = re.sub(r"model's \S+ ", "", str(error).splitlines()[-1])
        return answer([(kind, str(error))])
    return answer([])


def ask_torch_audit(make: Callable[[], Job]) -> Answer:
    """Audit every step of a live job."""
    job = make()
    auditor = torch_audit.autopatch(
        job.model, optimizer=job.optimizer, every_n_steps=1, ignore_rules=HARDWARE
    )
    found = []
    for _ in range(STEPS):
        job.run()
        found += torch_audit.audit(job.model, phase="backward", ignore_rules=HARDWARE).findings
    auditor.unpatch()
    found += auditor.findings
    levels = ("WARN", "ERROR", "FATAL")
    return answer((e.rule_id, e.message) for e in found if e.severity.value in levels)


def ask_gradgate_live(make: Callable[[], Job]) -> Answer:
    """Attach with what the author means, and train."""
    job = make()
    expect = probe.expect(
        trains=job.trains, frozen=job.frozen, frozen_stats=job.frozen_stats, share=job.share
    )
    found: list[tuple[str, str, str | None]] = []
    with probe.attach(job.model, job.optimizer, server=False, every=1, expect=expect) as run:
        run.explain()
        for step in range(1, STEPS + 1):
            job.run()
            if step % LOOK_EVERY == 0:
                told = [*run.alerts(), *run.notes()]
                found += [(e.cause or e.state, e.detail or str(e.name), e.where) for e in told]
                why = run.explanations().values()
                found += [(e.cause, e.detail, e.where) for e in why if e.cause != MEANT]
    return Answer(
        frozenset(kind for kind, _, _ in found),
        frozenset(where for _, _, where in found if where is not None),
        {kind: text for kind, text, _ in found},
    )


def ask_gradgate_explain(make: Callable[[], Job]) -> Answer:
    """Explain one forward and backward."""
    job = make()
    found = [
        each
        for each in probe.explain(
            job.model, lambda: job.loss().backward(), job.optimizer, check_backward=True
        ).values()
        if each.cause != MEANT
    ]
    return Answer(
        frozenset(each.cause for each in found),
        frozenset(each.where for each in found if each.where is not None),
        {each.cause: each.detail for each in found},
    )


def answer(found: Iterable[tuple[str, str]]) -> Answer:
    """Make an answer without places of kinds and their sentences."""
    texts = dict(found)
    return Answer(frozenset(texts), frozenset(), texts)


TOOLS: dict[str, Callable[[Callable[[], Job]], Answer]] = {
    "gradgate, live": ask_gradgate_live,
    "gradgate, explain": ask_gradgate_explain,
    "guardtower": ask_guardtower,
    "torchtest2": ask_torchtest2,
    "torcheck": ask_torcheck,
    "torch-audit": ask_torch_audit,
}
"""Every tool, by its name in the table."""


def ask(tool: str, make: Callable[[], Job]) -> Answer:
    """Ask a tool about a job; an exception of its own is no finding."""
    torch.manual_seed(0)
    with quiet():
        return TOOLS[tool](make)
