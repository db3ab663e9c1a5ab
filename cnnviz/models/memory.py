"""Out-of-memory errors, freed memory, and the number of inputs in a batch."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch
from torch import Tensor


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn torch's various out-of-memory errors into MemoryError."""
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one; the CPU allocator raises a plain RuntimeError
        text = str(error).lower()
        allocator = "memory" in text and ("alloc" in text or "not enough" in text)
        # oneDNN raises this when it cannot allocate the workspace of a convolution.
        if isinstance(error, torch.OutOfMemoryError) or allocator or "could not create a primitive" in text:
            raise MemoryError(str(error).splitlines()[0]) from error
        raise


def release_memory() -> None:
    """Return freed memory to the system: glibc keeps it in its arenas; other C libraries have no such call."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def batch_size(x: Tensor, cpu_pixels: int, gpu_pixels: int | None = None) -> int:
    """Return how many inputs like ``x`` (N, C, h, w), at least 1, have at most so many pixels on their device."""
    # whatever memory is free, so that results are reproducible
    pixels = cpu_pixels if gpu_pixels is None or x.device.type == "cpu" else gpu_pixels
    return max(1, pixels // (x.shape[-2] * x.shape[-1]))
