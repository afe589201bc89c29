"""Asking for a tensor's values late, so that the host need not wait for the device in the middle of a step."""

from typing import Any

import torch
from torch import Tensor


class Late:
    """A small tensor whose copy to the host starts now and is read afterwards.

    Read at once, it costs what `.tolist()` costs: the device must finish all that is queued. Read a step later, the value is long
    there, and the device has the work of the step in between to go on with.

    >>> Late(torch.tensor([True, False])).read()
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
