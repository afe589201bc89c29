"""Asynchronous copies of small tensors to the host."""

from typing import Any

import torch
from torch import Tensor


class HostCopy:
    """A small tensor whose copy to the host starts now and is read one step later, so that the host does not wait for the GPU.

    `.tolist()` waits until the device has finished all queued work. One step later the value has already arrived, so reading it does not
    wait, and the device still has queued work.

    >>> HostCopy(torch.tensor([True, False])).read()
    [True, False]
    """

    def __init__(self, x: Tensor) -> None:
        self._event: Any = None
        self._host = x.detach()
        if x.is_cuda:
            self._host = self._host.to("cpu", non_blocking=True)  # into pinned memory; not to be read before the event
            self._event = torch.cuda.Event()
            self._event.record(torch.cuda.current_stream(x.device))

    def read(self) -> Any:
        """The values, as numbers and lists."""
        if self._event is not None:
            self._event.synchronize()
        return self._host.tolist()
