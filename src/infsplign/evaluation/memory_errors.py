"""Tells whether an error means that memory has run out, on any device; nothing needs to be imported for it."""

import errno

FULL = (
    "out of memory",  # CUDA, HIP, MPS, XPU
    "not enough memory",  # torch's allocator on the CPU, Windows and macOS
    "can't allocate memory",  # the same on Linux
    "cannot allocate memory",  # the C library's ENOMEM, within another message
    "could not create a primitive",  # oneDNN, whose convolutions and products run on the CPU
    "could not create a memory object",
    "could not execute a primitive",
    "failed to allocate",
    "unable to allocate",
    "bad_alloc",  # C++
    "alloc_failed",  # cuBLAS, cuDNN: CUBLAS_STATUS_ALLOC_FAILED
    "invalid buffer size",  # MPS, a tensor larger than a buffer may be
    "out_of_host_memory",  # level zero (XPU)
    "out_of_device_memory",
    "out_of_resources",
    "storage size calculation overflowed",  # torch, a size that no memory has
)


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that it was raised from, means that memory has run out.

    >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1024 bytes. Error code 12"))
    True
    """
    for _ in range(10):  # a chain may end in itself
        if error is None:
            return False
        if type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError):
            return True
        if isinstance(error, OSError) and error.errno == errno.ENOMEM:
            return True
        if isinstance(error, RuntimeError) and any(words in str(error).lower() for words in FULL):
            return True
        error = error.__cause__
    return False
