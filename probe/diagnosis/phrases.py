"""How calls and places are named in the sentences of a diagnosis."""

from __future__ import annotations

from ..base.source import Chain
from .tape import Call

_SPOKEN = {
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


def spoken(call: Call) -> str:
    """How a call is named in a sentence."""
    if call.name == "BackwardHookFunction":
        return "the module's full backward hook"
    if call.custom:
        return f"the custom function `{call.name}`"
    if call.name in _SPOKEN:
        return _SPOKEN[call.name]
    return f"`{call.name.strip('_') if call.name.startswith('__') else call.name}()`"


def at(chain: Chain) -> str:
    """``at train.py:41``; in a library also the user's own line that led there."""
    place, user = chain.place, chain.user
    if place is None:
        return "at a line that is not known"
    if place.in_library and user is not None:
        return f"at {place.text}, called from {user.text}"
    return f"at {place.text}"
