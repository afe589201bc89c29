"""Values that are read one step later: at once on the CPU, and on a GPU after the copy has arrived."""

from typing import ClassVar

import torch

from infsplign.engine.host_copy import HostCopy


def test_values_of_the_cpu_are_those_at_the_time_of_the_copy_without_a_graph():
    assert HostCopy(torch.tensor([True, False])).read() == [True, False]
    assert HostCopy(torch.tensor(0.5, requires_grad=True)).read() == 0.5


class Event:
    """A CUDA event that notes what happens to it."""

    log: ClassVar[list] = []

    def record(self, stream):
        self.log.append(("record", stream))

    def synchronize(self):
        self.log.append("synchronize")


class OnDevice:
    """A tensor of a GPU, as far as `HostCopy` needs one."""

    is_cuda, device = True, "cuda:1"

    def detach(self):
        return self

    def to(self, device, *, non_blocking):
        Event.log.append(("to", device, non_blocking))
        return self

    def tolist(self):
        Event.log.append("tolist")
        return [True]


def test_a_copy_from_a_gpu_is_begun_without_waiting_and_read_after_its_event(monkeypatch):
    """The event is recorded on the stream of the tensor's own device, after the copy; else the host would read what has not arrived."""
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"stream of {device}")
    monkeypatch.setattr(Event, "log", [])
    copy = HostCopy(OnDevice())
    assert Event.log == [("to", "cpu", True), ("record", "stream of cuda:1")]
    assert copy.read() == [True]
    assert Event.log[2:] == ["synchronize", "tolist"]
