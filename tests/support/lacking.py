"""A torch that lacks private parts: the door to them, opened anew without them.

As a script, ``python -m tests.support.lacking``, it trains with a probe for which every part is
missing, and prints what was refused.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
from types import ModuleType
from typing import Any

import pytest

DOORS = "gradgate.probe.torch_compat"


def door_without(patch: pytest.MonkeyPatch, door: str, *names: str) -> ModuleType:
    """Return a second copy of a door, made as if torch had no parts of these names."""
    parts = importlib.import_module(f"{DOORS}.parts")
    asked: set[str] = set()

    class Part(parts.Part):  # type: ignore[name-defined,misc]
        def __init__(self, name: str, **more: Any) -> None:
            super().__init__(name, **more)
            if name in names:
                asked.add(name)
                self.value = None

    patch.setattr(parts, "Part", Part)
    spec = importlib.util.find_spec(f"{DOORS}.{door}")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert asked == set(names)
    return module


class _Blind(importlib.abc.MetaPathFinder):
    """Lets the lookup of parts find nothing, from the first import on."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != f"{DOORS}.parts":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        load = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            made = module.Part.__init__

            def init(part: Any, *args: Any, **more: Any) -> None:
                made(part, *args, **more)
                part.value = None

            module.Part.__init__ = init  # type: ignore[method-assign]

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def main() -> None:
    """Train for a few steps, and ask for everything."""
    sys.meta_path.insert(0, _Blind())
    import torch
    from torch import nn

    from gradgate import probe

    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for step in range(4):
            optimizer.zero_grad()
            model(torch.randn(8, 3)).square().mean().backward()
            optimizer.step()
            for ask in (
                lambda: run.freeze("0"),
                lambda: run.gate("output:0", when="True"),
                lambda: probe.explain(model, lambda: model(torch.ones(2, 3)).sum().backward()),
            ):
                with pytest.raises(probe.CommandError) as refused:
                    ask()
                print(f"step {step}: {refused.value}")
        print(*(f"{info.name}={info.state}" for info in run.parameters()))


if __name__ == "__main__":
    main()
