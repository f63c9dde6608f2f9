"""No private part of torch is used but behind the door, as the probe's own code tells."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

PROBE = Path(__file__).parents[3] / "probe"
PRIVATE = re.compile(r"_(?!_)\w+")
PRIVATE_PATH = re.compile(r"torch(\.\w+)*\._\w+(\.\w+)*")


def torchs_names() -> frozenset[str]:
    """The private names of what the probe meets of torch."""
    model, weight = nn.BatchNorm1d(1), nn.Parameter(torch.ones(1))
    owners: list[object] = [
        torch,
        torch._C,
        torch._C._autograd,
        torch._C._functorch,
        torch.autograd,
        torch.autograd.forward_ad,
        torch.overrides,
        torch.utils,
        torch.utils.checkpoint,
        torch.nn.modules.batchnorm,
        torch.nn.modules.module,
        torch.Tensor,
        (weight * 2).grad_fn,
        model,
        torch.optim.SGD([weight]),
        torch.amp.GradScaler("cpu"),
        DistributedDataParallel,
        dist,
        dist.distributed_c10d,
    ]
    return frozenset(name for owner in owners for name in dir(owner) if PRIVATE.fullmatch(name))


FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
TORCHS = torchs_names()


def own_names(trees: Iterable[ast.Module]) -> frozenset[str]:
    """The private attributes that classes of the probe define."""
    found: set[str] = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found |= {each.name for each in node.body if isinstance(each, FUNCTION)}
                found |= {n.id for each in node.body for n in ast.walk(each) if is_target(n)}
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found |= {node.attr} if names_self(node.value) else set()
    return frozenset(found)


def is_target(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def names_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def strangers(tree: ast.Module) -> frozenset[str]:
    """The names under which a file has imported what is neither torch's nor the probe's."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {a.asname or a.name for a in node.names if not a.name.startswith("torch")}
    return frozenset(found)


def root(node: ast.expr) -> str | None:
    """The name that a chain of attributes begins with."""
    while isinstance(node, (ast.Attribute, ast.Call)):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else None


def uses(tree: ast.Module, own: frozenset[str]) -> Iterator[str]:
    """Yield each use of a private name of torch."""
    slots = {
        id(inside)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and any(ast.unparse(t) == "__slots__" for t in node.targets)
        for inside in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and PRIVATE.fullmatch(node.attr):
            if root(node) in strangers(tree):
                continue
            known = node.attr in TORCHS and not names_self(node.value)
            if known or node.attr not in own:
                yield ast.unparse(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            if PRIVATE_PATH.fullmatch(text) or (text in TORCHS and id(node) not in slots):
                yield repr(text)
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if PRIVATE_PATH.fullmatch(a.name))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("torch"):
            paths = [f"{node.module}.{a.name}" for a in node.names]
            yield from (path for path in paths if PRIVATE_PATH.fullmatch(path))


def test_no_private_name_of_torch_is_used_elsewhere() -> None:
    """A newer torch is a change in one folder."""
    files = [path for path in sorted(PROBE.rglob("*.py")) if "torch_compat" not in path.parts]
    trees = {path: ast.parse(path.read_text("utf-8")) for path in files}
    own = own_names(trees.values())
    found = [
        f"{path.relative_to(PROBE)}: {use}"
        for path, tree in trees.items()
        for use in uses(tree, own)
    ]
    assert found == []
    assert len(files) > 100


@pytest.mark.parametrize(
    "line",
    [
        "torch._C._current_graph_task_id()",
        "tensor._version",
        "self._gates[0].tensor._base",
        "module._forward_pre_hooks.values()",
        "self._backward_hooks_of_torch",
        "getattr(optimizer, '_optimizer_step_pre_hooks')",
        "setattr(torch.Tensor, '_make_subclass', made)",
        "sys.modules.get('torch._dynamo.eval_frame')",
        "import torch._dynamo",
        "from torch._C._functorch import is_functorch_wrapped_tensor",
        "from torch.utils._pytree import tree_map",
        "from torch.nn.modules.batchnorm import _NormBase",
        "wrapper._ddp_init_helper()",
    ],
)
def test_a_private_name_is_seen_however_it_is_used(line: str) -> None:
    """As an attribute, by its text, or by an import."""
    assert list(uses(ast.parse(line), frozenset({"_gates"})))


@pytest.mark.parametrize(
    "line",
    [
        "self._gates",
        "other._gates.count",
        "import sys\nsys._getframe(1)",
        "__slots__ = ('_version',)",
        "'_gates'",
        "torch.Tensor.__setitem__",
        "from torch.utils.hooks import RemovableHandle",
    ],
)
def test_what_is_ones_own_is_none_of_torchs(line: str) -> None:
    """Nor what Python calls special, nor what is another package's."""
    assert list(uses(ast.parse(line), frozenset({"_gates"}))) == []
