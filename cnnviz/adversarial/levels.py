"""Arithmetic on stored values: uint8 pixels changed by whole levels of 1/255."""

from collections.abc import Callable

import torch
from torch import Tensor

STRIP = 1 << 17  # values processed at a time, so that temporaries stay in the processor's cache


def add_levels(values: Tensor, change: Tensor) -> Tensor:
    """Return values (H, W, C), uint8, plus a change in whole levels (same shape), clipped to 0 to 255."""
    return _in_strips(values, change, lambda part, levels: part.add_(levels.to(torch.int16)))


def sign_step(values: Tensor, gradient: Tensor, level: int) -> Tensor:
    """Return values (H, W, C), uint8, each moved by ``level`` against the sign of a gradient, clipped to 0 to 255."""
    return _in_strips(values, gradient, lambda part, slopes: part.sub_(slopes.sign().to(torch.int16), alpha=level))


def largest_change(values: Tensor, other: Tensor) -> int:
    """Return the L-infinity distance of two uint8 arrays, in levels."""
    return int((values.to(torch.int16) - other.to(torch.int16)).abs().max()) if values.numel() else 0


def _in_strips(values: Tensor, by: Tensor, move: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    moved = torch.empty(values.shape, dtype=torch.uint8)
    rows = max(1, STRIP // max(1, values[:1].numel()))
    for before, more, after in zip(*(torch.split(part, rows) for part in (values, by, moved)), strict=True):
        after.copy_(move(before.to(torch.int16), more).clamp_(0, 255))
    return moved
