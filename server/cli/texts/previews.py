"""A preview in words, line by line."""

from __future__ import annotations

from collections.abc import Iterator

from ...protocol.commands.change import CHANGES
from ...protocol.effects import Preview
from ...protocol.runs import RunRow
from ..terminal import listed, plural, size

_LABEL_WIDTH = 20


def preview_lines(preview: Preview, run: RunRow) -> Iterator[str]:
    """Yield what a command would touch; what is of no consequence is left out."""
    yield f"{preview.kind} {preview.target} in {run.name} ({run.id}): nothing is changed yet."
    for label, text in _facts(preview):
        if text:
            yield f"  {label:{_LABEL_WIDTH}}{text}"
    for warning in preview.warnings:
        yield f"  ! {warning}"


def _facts(preview: Preview) -> Iterator[tuple[str, str]]:
    already = f", {preview.already:,} of them so already" if preview.already else ""
    yield "parameters", f"{preview.count:,}{already}: {listed(preview.parameters, preview.count)}"
    yield "numbers", f"{preview.numel:,}, {100 * preview.share:.3g} % of the model"
    yield "gradients", f"{size(preview.gradient_bytes)} {CHANGES[preview.kind].gradients}"
    state = "dropped" if preview.reset_state else "kept"
    yield "optimizer state", f"{size(preview.state_bytes)} {state}"
    yield (
        "trainable then",
        f"{plural(preview.trainable_after, 'parameter')}, "
        f"{plural(preview.trainable_numel_after, 'number')}",
    )
    yield "in no optimizer", listed(preview.not_in_optimizer, len(preview.not_in_optimizer), 20)
    yield "tied", "; ".join(" = ".join(names) for names in preview.tied)
    yield "statistics go on in", ", ".join(path or "the model" for path in preview.running_stats)
    if preview.mode == "no_grad":
        yield "cuts off", _cut_off(preview)
    yield "recompiles", "yes" if preview.recompiles else ""


def _cut_off(preview: Preview) -> str:
    if preview.cut_off is None:
        return "not known before the next step"
    return listed(preview.cut_off, len(preview.cut_off), 20) or "nothing"
