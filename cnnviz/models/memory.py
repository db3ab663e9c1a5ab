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
    """Return the number of inputs of the size of ``x`` (N, C, h, w) in a batch, at least 1.

    ``cpu_pixels`` and ``gpu_pixels`` (by default the same) limit the pixels of a batch. The result depends on the input
    size and the device only, never on free memory, so that results are reproducible.
    """
    pixels = cpu_pixels if gpu_pixels is None or x.device.type == "cpu" else gpu_pixels
    return max(1, pixels // (x.shape[-2] * x.shape[-1]))
