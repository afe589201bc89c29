"""Errors that mean that memory has run out, on any device."""

import errno

import numpy as np
import pytest
import torch

from infsplign.evaluation.memory_errors import is_out_of_memory


def chained(inner: BaseException) -> RuntimeError:
    outer = RuntimeError("backend='inductor' raised")
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
        RuntimeError("could not create a primitive"),
        RuntimeError("could not create a memory object"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("HIP out of memory. Tried to allocate"),
        RuntimeError("Invalid buffer size: 38.15 GB"),
        RuntimeError("Native API failed. Native API returns: -5 (PI_ERROR_OUT_OF_RESOURCES)"),
        RuntimeError("unable to mmap 10 bytes from file <x>: Cannot allocate memory (12)"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        torch.OutOfMemoryError("x"),
        MemoryError(),
        chained(torch.OutOfMemoryError("x")),
        chained(chained(MemoryError())),
    ],
)
def test_case_31_memory_that_runs_out(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        ValueError("out of memory is what this prompt says"),
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        chained(ValueError("out of memory")),
        None,
    ],
)
def test_other_errors(error):
    assert not is_out_of_memory(error)


def test_case_31_what_torch_and_numpy_really_say_on_this_machine():
    """More than any machine's address space has."""
    with pytest.raises(RuntimeError) as of_torch:
        torch.empty(2**50, dtype=torch.uint8)
    with pytest.raises(RuntimeError) as overflow:
        torch.empty(2**62, 2**62)
    with pytest.raises(MemoryError) as of_numpy:
        np.empty(2**55)
    assert all(is_out_of_memory(found.value) for found in (of_torch, overflow, of_numpy))


def test_an_error_that_was_raised_from_itself():
    error = RuntimeError("x")
    error.__cause__ = error
    assert not is_out_of_memory(error)
