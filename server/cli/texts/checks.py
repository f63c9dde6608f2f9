"""The report of a check, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...export.check.groups import Group, grouped
from ...export.check.verdict import verdict
from ...protocol.check import CheckedParameter, CheckReport
from ..terminal import listed, plural
from .alike import names_of

_INDENT = "    "
_NAMED = 3


def check_lines(report: CheckReport) -> Iterator[str]:
    """Yield the report, the trouble first."""
    yield from _beginning(report)
    groups = grouped(report.findings)
    new = [each for each in groups if each.first.level == "error" and not each.accepted]
    for group in new:
        yield ""
        yield from group_lines(group, report.folder)
    notes = [each for each in groups if each.first.level == "note"]
    for group in notes:
        yield ""
        yield from group_lines(group, report.folder, "note: ")
    rest = [each for each in groups if each.first.level == "untrained"]
    if rest:
        yield ""
        yield "Does not train, and nobody expects that it does:"
        for group in rest:
            yield f"{_INDENT}{_head(group, report.folder)}"
    yield ""
    yield verdict(report)


def _beginning(report: CheckReport) -> Iterator[str]:
    models = listed([_model(each.name, each.kind) for each in report.models], len(report.models))
    optimizers = ", ".join(dict.fromkeys(report.optimizers))
    by = f" under {optimizers}" if optimizers else ""
    steps = plural(report.steps, "step")
    yield f"{report.script}: {steps} of {models}{by}" if models else f"{report.script}: {steps}"
    if report.parameters:
        yield from _share_lines(report.parameters)
    if report.loose:
        tensors = plural(report.loose, "tensor")
        yield f"  {'not checked':15}{tensors} that an optimizer holds and no watched module"
    checked = [each.name for each in report.processes if each.steps]
    if checked:
        yield f"  {'trained in':15}{listed(checked, len(checked), _NAMED)}, which it started"
    unknown = [each.name for each in report.processes if each.steps is None]
    if unknown:
        yield (
            f"Not checked: {listed(unknown, len(unknown), _NAMED)}, which the script started: it "
            "was killed, or has a `run` of its own where a `target` could be checked. "
            "`torchrun --no-python … gradgate check` checks each rank alone."
        )


def _model(name: str, kind: str) -> str:
    return f"{name} ({kind})" if name else kind


def _share_lines(parameters: Sequence[CheckedParameter]) -> Iterator[str]:
    """Yield how many parameters train, are frozen and do not train, and which never moved."""
    total = sum(each.numbers for each in parameters)
    kinds = {
        "trains": [each for each in parameters if each.trains],
        "frozen": [each for each in parameters if not each.trainable],
        "does not train": [each for each in parameters if each.trainable and not each.trains],
    }
    for word, chosen in kinds.items():
        if chosen or word == "trains":
            numbers = sum(each.numbers for each in chosen)
            yield (
                f"  {word:15}{len(chosen):,} of {plural(len(parameters), 'parameter')}, "
                f"{numbers:,} of {total:,} numbers ({numbers / max(total, 1):.1%})"
            )
    still = [each.name for each in parameters if each.trainable and each.moved is False]
    if still:
        yield f"  {'never moved':15}{listed(still, len(still), _NAMED)}"


def group_lines(group: Group, folder: str, mark: str = "") -> Iterator[str]:
    """Yield what is wrong, where and with which line of code; `mark` stands before it."""
    first = group.first
    yield mark + _head(group, folder)
    yield f"{_INDENT}{first.detail}"
    if first.advice:
        yield f"{_INDENT}{first.advice}"
    if first.source is not None:
        text = first.source.lines[first.source.line - first.source.first]
        yield f"{_INDENT}> {first.source.line} | {text.expandtabs(4).strip()}"


def _head(group: Group, folder: str) -> str:
    subject = names_of(group.names) if group.names else "the whole run"
    where = group.where(folder)
    return (
        f"{subject}: {group.first.cause or 'unknown'}"
        + (f" at {where}" if where else "")
        + group.inside
    )
