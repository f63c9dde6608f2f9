"""Turn the roles of docstrings, such as ``:meth:`Run.gates```, into links of the API reference."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

PUBLIC = "gradgate.probe."
ROLE = re.compile(r":(?P<role>attr|class|data|func|meth):`(?P<name>[\w.]+)`")


class Roles(Extension):
    """Rewrites roles as references that are links where the name is in the API reference."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Rewrite the docstring of an object that was read."""
        if obj.docstring is not None:
            obj.docstring.value = ROLE.sub(lambda role: reference(role, obj), obj.docstring.value)


def reference(role: re.Match[str], obj: Object) -> str:
    """Return the markup of a reference; a method without its class is of the class of ``obj``."""
    name = shown = role["name"].removeprefix(PUBLIC)
    if role["role"] == "meth" and "." not in name and obj.parent is not None:
        name = f"{obj.parent.name}.{name}"
    return f'<autoref identifier="{PUBLIC}{name}" optional><code>{shown}</code></autoref>'
