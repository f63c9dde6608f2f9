"""How calls and places are named in the sentences of a diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..base.source import Chain, Place
from .tape import Call

_PHRASES = {
    "data": "`.data`",
    "grad =": "an assignment to `.grad`",
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
    return named(call.name)


def named(name: str) -> str:
    """Return how a torch function of this name is called in a sentence."""
    if name in _PHRASES:
        return _PHRASES[name]
    return f"`{name.strip('_') if name.startswith('__') else name}()`"


def at(chain: Chain) -> str:
    """Return ``at train.py:41``; in a library also the user's own line that led there."""
    place, user = chain.place, chain.user
    if place is None:
        return "at a line that is not known"
    if place.in_library and user is not None:
        return f"at {place.text}, called from {user.text}"
    return f"at {place.text}"


@dataclass(frozen=True)
class OtherCuts:
    """Where else a gradient is cut off, beside the place that is named."""

    beside: Sequence[Place] = ()
    """On other ways."""
    behind: Sequence[Place] = ()
    """Further on, on the same way."""

    @property
    def text(self) -> str:
        """``(other ways are cut at a.py:1, b.py:2)``; nothing where there are none."""
        texts = []
        if self.behind:
            texts.append(f"the way is cut again at {_listed(self.behind)}")
        if self.beside:
            texts.append(f"other ways are cut at {_listed(self.beside)}")
        return f" ({'; '.join(texts)})" if texts else ""


def _listed(places: Sequence[Place]) -> str:
    left = f" and {len(places) - 3} more" if len(places) > 3 else ""
    return ", ".join(place.text for place in places[:3]) + left


def quoted(names: Sequence[str]) -> str:
    """Return ```a`, `b` and `c```; of many the first three, and how many more there are."""
    told = [f"`{name}`" for name in names]
    if len(told) > 4:
        told = [*told[:3], f"{len(told) - 3} more"]
    return " and ".join(filter(None, [", ".join(told[:-1]), told[-1]]))
