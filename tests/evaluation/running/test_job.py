"""What is got of a group when memory runs out or images fail: every other image, made at places that do not depend on luck."""

import errno

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from infsplign.evaluation.running import job as module
from infsplign.evaluation.running.job import Job, Task, is_fatal, is_out_of_memory, run_job


@pytest.fixture(autouse=True, scope="module")
def freed():
    """How often memory was given back; collecting garbage for each example would take minutes."""
    calls = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "free_memory", lambda: calls.append(1))
        yield calls


def job(count, size, wanted=None):
    tasks = tuple(Task(f"k{n}", f"text {n}", n) for n in range(count))
    return Job(tasks, frozenset(t.key for t in tasks) if wanted is None else frozenset(f"k{n}" for n in wanted), None, size)


class Sampler:
    """An image is the list of seeds that it was made with: what rounding depends on. Fails on `bad` seeds, and above `room`."""

    def __init__(self, room=100, bad=(), error=None):
        self.room, self.bad, self.error, self.calls = room, set(bad), error or RuntimeError("a bad prompt"), []

    def __call__(self, texts, seeds, config):
        self.calls.append(list(seeds))
        if len(seeds) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        if self.bad & set(seeds):
            raise self.error
        return [tuple(seeds)] * len(seeds)


def images(outcome):
    return {made.task.key: made.image for made in outcome.made}


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20))
def test_memory_that_runs_out_costs_no_image(count, size, room):
    outcome = run_job(Sampler(room), job(count, size))
    assert [made.task.seed for made in outcome.made] == list(range(count))
    assert all(made.error is None and made.batch == len(made.image) <= min(size, room) for made in outcome.made)
    assert outcome.size <= size
    assert outcome.size <= room or count <= room or outcome.size == size


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20))
def test_at_the_smaller_size_the_same_images_come_at_once(count, size, room):
    """A run that goes on at the size that memory left has the neighbours, so the rounding, of one that found that size out."""
    found = run_job(Sampler(room), job(count, size))
    again = Sampler(room)
    assert images(run_job(again, job(count, found.size))) == images(found)
    together = found.size if found.size >= count else 2 ** (found.size.bit_length() - 1)  # parts of a group are powers of two
    assert len(again.calls) == -(-count // together)


@given(st.integers(1, 20), st.integers(1, 20), st.data())
def test_only_images_that_fail_are_lost(count, size, data):
    bad = data.draw(st.sets(st.integers(0, count - 1)))
    outcome = run_job(Sampler(bad=bad), job(count, size))
    assert {made.task.seed for made in outcome.made if made.error} == bad
    assert all(made.error == "RuntimeError: a bad prompt" and made.image is None for made in outcome.made if made.error)
    assert sorted(made.task.seed for made in outcome.made) == list(range(count))
    assert outcome.size == size  # the next group may be whole again


@given(st.integers(1, 20), st.integers(1, 8), st.data())
def test_a_missing_image_is_made_with_all_its_neighbours(count, size, data):
    wanted = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    whole = images(run_job(Sampler(), job(count, size)))
    part = images(run_job(Sampler(), job(count, size, wanted)))
    assert part == {key: image for key, image in whole.items() if int(key[1:]) in wanted}


def test_parts_without_a_missing_image_are_not_made():
    sampler = Sampler(bad=[5])
    run_job(sampler, job(8, 8, wanted=[5]))
    assert sampler.calls == [[*range(8)], [4, 5, 6, 7], [4, 5], [5]]


def test_a_single_image_that_has_no_room_fails(freed):
    freed.clear()
    outcome = run_job(Sampler(room=0), job(2, 2))
    assert [made.error for made in outcome.made] == ["OutOfMemoryError: CUDA out of memory. Tried to allocate"] * 2
    assert len(freed) == 3


@pytest.mark.parametrize("words", ["DefaultCPUAllocator: can't allocate memory: you tried to", "could not create a primitive"])
def test_case_31_memory_of_a_cpu_halves_the_batch_too(words):
    class Full(Sampler):
        def __call__(self, texts, seeds, config):
            if len(seeds) > self.room:
                raise RuntimeError(words)
            return super().__call__(texts, seeds, config)

    outcome = run_job(Full(room=2), job(8, 8))
    assert [made.error for made in outcome.made] == [None] * 8
    assert outcome.size == 2


def test_too_few_images_are_an_error():
    outcome = run_job(lambda texts, seeds, config: [], job(1, 1))
    assert outcome.made[0].error == "ValueError: the sampler returned 0 images for 1 texts"


@pytest.mark.parametrize(
    ("error", "memory", "fatal"),
    [
        (torch.OutOfMemoryError("x"), True, False),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True, False),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: not enough memory"), True, False),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"), True, False),
        (RuntimeError("could not create a primitive"), True, False),
        (MemoryError(), True, False),
        (RuntimeError("CUDA error: out of memory"), True, False),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False, True),
        (OSError(errno.ENOSPC, "No space left on device"), False, True),
        (OSError(errno.ENOENT, "No such file"), False, False),
        (ValueError("out of memory is what this prompt says"), False, False),
    ],
)  # fmt: skip
def test_errors_are_told_apart(error, memory, fatal):
    assert (is_out_of_memory(error), is_fatal(error)) == (memory, fatal)


def test_a_full_disk_and_a_lost_device_stop_at_once():
    for error in (OSError(errno.ENOSPC, "No space left on device"), RuntimeError("CUDA error: device-side assert triggered")):
        sampler = Sampler(bad=[0], error=error)
        with pytest.raises(type(error)):
            run_job(sampler, job(4, 4))
        assert len(sampler.calls) == 1
