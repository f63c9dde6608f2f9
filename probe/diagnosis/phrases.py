"""How calls and places are named in the sentences of a diagnosis."""

from __future__ import annotations

from collections.abc import Sequence

from ..base.source import Chain, Place
from .tape import Call

_PHRASES = {
    "data": "`.data`",
    "data =": "an assignment to `.data`",
    "__setitem__": "an assignment to its elements",
    "__float__": "`float()`",
    "__int__": "`int()`",
    "__index__": "its use as an index",
    "__array__": "its conversion to numpy",
    "__format__": "its conversion to text",
    "__deepcopy__": "`deepcopy()`",
    "__get__": "an attribute",
}


def phrase(call: Call) -> str:
    """Return how a call is named in a sentence."""
    if call.name == "BackwardHookFunction":
        return "the module's full backward hook"
    if call.custom:
        return f"the custom function `{call.name}`"
    if call.name in _PHRASES:
        return _PHRASES[call.name]
    return f"`{call.name.strip('_') if call.name.startswith('__') else call.name}()`"


def at(chain: Chain) -> str:
    """Return ``at train.py:41``; in a library also the user's own line that led there."""
    place, user = chain.place, chain.user
    if place is None:
        return "at a line that is not known"
    if place.in_library and user is not None:
        return f"at {place.text}, called from {user.text}"
    return f"at {place.text}"


def among(more: Sequence[Place]) -> str:
    """Return ``(other ways are cut at a.py:1, b.py:2)``; nothing where there are none."""
    if not more:
        return ""
    texts = ", ".join(place.text for place in more[:3])
    left = f" and {len(more) - 3} more" if len(more) > 3 else ""
    return f" (other ways are cut at {texts}{left})"
