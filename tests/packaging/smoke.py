"""Use an installed Gradgate as its user would; run by the interpreter of the environment to try.

It needs nothing but the wheel: `python -I smoke.py FOLDER`, with an empty folder.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

OPENER = build_opener(ProxyHandler({}))


def main(folder: Path) -> None:
    """Serve, train, steer and read back; an error ends it."""
    print(f"gradgate {version('gradgate')} on Python {sys.version.split()[0]}", end="", flush=True)
    with serving(folder / "data") as url:
        pages = look(url)
        steps = train(url)
        (run,) = json.loads(get(f"{url}/api/runs"))["runs"]
        assert (run["name"], run["step"]) == ("smoke", steps), run
    print(f": {pages} pages and files served, {steps} steps of a job watched and steered")


@contextmanager
def serving(data: Path) -> Iterator[str]:
    """Start the installed `gradgate serve`, and stop it as a Ctrl-C does."""
    command = [str(Path(sysconfig.get_path("scripts"), "gradgate")), "serve"]
    options = ["--port", "0", "--data", str(data)]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            line = server.stdout.readline()
            assert line.startswith("Gradgate dashboard: "), line
            yield line.split()[-1]
        finally:
            server.terminate()
    assert server.returncode == 0, server.returncode


def look(url: str) -> int:
    """Fetch the page, what it links and every static file; return how many."""
    assert json.loads(get(f"{url}/healthz"))["version"] == version("gradgate")
    page = get(f"{url}/").decode()
    assert "<title>" in page
    linked = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
    assert linked
    static = {address.split("/")[2] for address in linked}
    assert len(static) == 1, linked
    paths = linked | {"/docs", *static_files(*static)}
    for path in paths:
        assert get(url + path), path
    return len(paths) + 1


def static_files(version: str) -> Iterator[str]:
    """Yield the addresses of the static files that were installed."""
    waiting = [(f"/static/{version}", files("gradgate.static"))]
    while waiting:
        address, folder = waiting.pop()
        for each in folder.iterdir():
            if each.name in ("__pycache__", ".keep"):
                continue
            if each.is_dir():
                waiting.append((f"{address}/{each.name}", each))
            else:
                yield f"{address}/{each.name}"


def train(url: str) -> int:
    """Watch a small model for a few steps, freeze a part and thaw it; return the steps."""
    import torch

    from gradgate import probe

    assert Path(sys.prefix) in Path(probe.__file__).parents, probe.__file__
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    optimizer = torch.optim.AdamW(model.parameters())
    with probe.attach(model, optimizer, name="smoke", server=url, every=1) as run:
        for step in range(1, 6):
            optimizer.zero_grad()
            model(torch.randn(8, 4)).square().mean().backward()
            optimizer.step()
            if step == 2:
                assert run.freeze("0") == ("0.weight", "0.bias")
                before = model[0].weight.detach().clone()
        assert torch.equal(model[0].weight, before)
        run.thaw("0")
        assert run.flush(30), "the server did not store what the job sent"
    return step


def get(url: str) -> bytes:
    """Return what is at an address."""
    with OPENER.open(url, timeout=30) as answer:
        return bytes(answer.read())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
