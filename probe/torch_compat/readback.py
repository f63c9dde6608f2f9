"""From device to host without making the training stream wait."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


class Readback:
    """One vector on its way from a device to the host.

    On the CPU it is there at once. On CUDA it is copied to pinned memory in stream order,
    and an event tells when it has arrived, so that nobody waits
    (https://docs.pytorch.org/tutorials/intermediate/pinmem_nonblock.html). Other
    accelerators have no such events in every release; there the copy waits.
    """

    def __init__(self, parts: Sequence[Tensor], *, kept: bool = False) -> None:
        """``parts``: one-dimensional tensors of one device and dtype.

        ``kept``: nobody changes them any more, so that what is on the host need not be copied.
        """
        flat = parts[0] if kept and len(parts) == 1 else torch.cat(list(parts))
        self._event: torch.cuda.Event | None = None
        if flat.is_cuda:
            self._host = torch.empty(flat.shape, dtype=flat.dtype, device="cpu", pin_memory=True)
            self._host.copy_(flat, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record(torch.cuda.current_stream(flat.device))
        else:
            self._host = flat if flat.is_cpu else flat.cpu()

    def ready(self) -> bool:
        """Whether the values have arrived; never waits."""
        return self._event is None or self._event.query()

    def values(self) -> npt.NDArray[np.float64]:
        """The values, float64 [n]; waits for them when they have not arrived."""
        host = self._arrived()
        return (host if host.dtype is torch.float64 else host.double()).numpy()

    def integers(self) -> npt.NDArray[np.int64]:
        """The values of integers, int64 [n]; waits for them when they have not arrived."""
        return self._arrived().long().numpy()

    def _arrived(self) -> Tensor:
        if self._event is not None:
            self._event.synchronize()
        return self._host


_HAS_GRAPHS = torch.backends.cuda.is_built()
"""Whether this build of torch can capture one; asked once, for it is asked six times a step."""


def capturing() -> bool:
    """Whether a CUDA graph is being captured, in which nothing may be copied or waited for."""
    return _HAS_GRAPHS and torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()
