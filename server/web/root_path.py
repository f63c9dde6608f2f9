"""The path below which a proxy shows a server, such as `/gradgate`."""

from __future__ import annotations

import re

from starlette.types import Scope

from .proxies import BadProxy

OWN = frozenset(
    {
        "api",
        "audit",
        "causes",
        "compare",
        "docs",
        "healthz",
        "metrics",
        "openapi.json",
        "runs",
        "sign-in",
        "sign-out",
        "static",
    }
)
"""What the first part of a path means here, so that no proxy can show a server below it."""
_ROOT = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
_KEY = "gradgate.root_path"


def read_root_path(text: str) -> str:
    """Return a path without a slash at its end, "" for none; raises `BadProxy`."""
    root = text.rstrip("/")
    if not _ROOT.fullmatch(root):
        raise BadProxy(f"{text!r} is no path of a proxy: give one such as /gradgate.")
    if root.split("/")[1:2] and root.split("/")[1] in OWN:
        raise BadProxy(
            f"{text!r} begins as paths of the server itself do: give another, such as /gradgate."
        )
    return root


def put_below(scope: Scope, root: str) -> None:
    """Let a request have come below a path, whether the proxy has taken that off or not.

    This is how ASGI has it: `root_path`, and with it `path`.
    """
    scope["root_path"] = scope[_KEY] = root
    path: str = scope["path"]
    if path != root and not path.startswith(f"{root}/"):
        scope["path"] = root + path
        scope["raw_path"] = root.encode() + (scope.get("raw_path") or b"")


def root_of(scope: Scope) -> str:
    """Return below which path a request came; "" for none.

    What Starlette calls `root_path` grows on the way to what is mounted; this does not.
    """
    root: str = scope.get(_KEY, "")
    return root


def path_of(scope: Scope) -> str:
    """Return the path of a request as the routes have it, below that."""
    path: str = scope["path"]
    return path[len(root_of(scope)) :]
