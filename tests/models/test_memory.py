"""Batch sizes, and out-of-memory errors by the messages of torch's allocators."""

import pytest
import torch

from cnnviz.models.memory import batch_size, memory_errors, release_memory

PHOTO = torch.zeros(1, 3, 224, 224)


def test_the_batch_size_depends_on_the_pixels_of_an_input_and_the_device():
    assert batch_size(PHOTO, 4 * 224 * 224) == 4
    assert batch_size(torch.zeros(7, 3, 112, 224), 4 * 224 * 224, 10**9) == 8
    assert batch_size(PHOTO.to("meta"), 4 * 224 * 224, 64 * 224 * 224) == 64
    assert batch_size(torch.zeros(1, 3, 4000, 4000), 4 * 224 * 224) == 1


@pytest.mark.parametrize(
    "message",
    [
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes.",
        "not enough memory: you tried",
        "could not create a primitive",
    ],
)
def test_messages_about_memory_become_memory_errors(message: str):
    with pytest.raises(MemoryError, match=message[:20]), memory_errors():
        raise RuntimeError(message + "\nsecond line")


def test_cuda_and_other_errors():
    with pytest.raises(MemoryError), memory_errors():
        raise torch.OutOfMemoryError("CUDA")
    with pytest.raises(RuntimeError, match="sizes of memory format"), memory_errors():
        raise RuntimeError("sizes of memory format")
    release_memory()  # and a C library without malloc_trim is no error
