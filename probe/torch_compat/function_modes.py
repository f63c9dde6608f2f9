"""The stack of torch function modes, below whose top the public ``with`` cannot reach.

The probe's mode goes to the bottom of it, and may end before those above it. All names were
seen in torch 2.8 to 2.15.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from torch.overrides import TorchFunctionMode

from .parts import EXPLAINING, Part

_DEPTH = Part(
    "torch.overrides._len_torch_function_stack",
    otherwise="no graph is cut in the forward, so a closed gate saves less",
    needed_for=(EXPLAINING,),
)
_POP = Part("torch.overrides._pop_mode", otherwise="no step is traced", needed_for=(EXPLAINING,))
_PUSH = Part("torch.overrides._push_mode", otherwise="no step is traced", needed_for=(EXPLAINING,))
_NO_SUBCLASSES = Part(
    "torch._C.DisableTorchFunctionSubclass",
    otherwise="tensors of subclasses are looked at through their own functions",
    needed_for=(EXPLAINING,),
)
_GRAD_SWITCH = Part(
    "torch._C._set_grad_enabled",
    otherwise="where gradients were switched off is not seen",
    needed_for=(EXPLAINING,),
)
_STACK = Part(
    "torch.overrides._get_current_function_mode_stack",
    otherwise="after torch.set_default_device no graph is cut in the forward",
)
_DEVICE = Part(
    "torch.utils._device.DeviceContext",
    otherwise="after torch.set_default_device no graph is cut in the forward",
)
PARTS = (_DEPTH, _POP, _PUSH, _NO_SUBCLASSES, _GRAD_SWITCH, _STACK, _DEVICE)

GRAD_SWITCH = _GRAD_SWITCH.name.rpartition(".")[2]
"""The name under which modes see that gradients are switched on or off."""

depth: Callable[[], int] = _DEPTH.or_else(lambda: 1)
"""Return how many modes are on; where nobody knows, one may be."""


def observed() -> bool:
    """Return whether a mode looks at what happens; one that only gives tensors a device does not.

    ``torch.set_default_device`` leaves such a mode on for good.
    """
    on = depth()
    if not on or _STACK.missing or _DEVICE.missing:
        return bool(on)
    return any(not isinstance(mode, _DEVICE.value) for mode in _STACK.value())


without_subclasses: Callable[[], AbstractContextManager[object]] = _NO_SUBCLASSES.or_else(
    nullcontext
)
"""Look at tensors of subclasses as if they were plain ones; modes still see it."""


def put_at_bottom(mode: TorchFunctionMode) -> None:
    """Enter a mode below all that are on."""
    _push([*_pop(_DEPTH.require()()), mode])


def take_out(mode: TorchFunctionMode) -> None:
    """Leave a mode, wherever in the stack it is; nothing happens where it is not."""
    above: list[TorchFunctionMode] = []
    on = 0 if _DEPTH.missing else depth()
    while on > len(above) and (not above or above[-1] is not mode):
        above += _pop(1)
    _push([other for other in above if other is not mode])


def _pop(count: int) -> list[TorchFunctionMode]:
    """Take the topmost modes off; the topmost is the first."""
    return [_POP.require()() for _ in range(count)]


def _push(modes: list[TorchFunctionMode]) -> None:
    """Put modes back that were taken off."""
    for mode in reversed(modes):
        _PUSH.require()(mode)
