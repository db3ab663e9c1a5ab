"""Stored values changed by whole levels."""

import torch

from cnnviz.adversarial.levels import STRIP, add_levels, largest_change, sign_step


def test_changes_stay_within_8_bits():
    values = torch.tensor([0, 1, 254, 255], dtype=torch.uint8).view(1, 4, 1)
    assert add_levels(values, torch.tensor([-1, 1, 2, 1]).view(1, 4, 1)).flatten().tolist() == [0, 2, 255, 255]
    gradient = torch.tensor([3.0, 0.1, -2.0, 0.0]).view(1, 4, 1)
    assert sign_step(values, gradient, 2).flatten().tolist() == [0, 0, 255, 255]


def test_strips_change_nothing():
    values = torch.randint(256, (7, STRIP // 4, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    change = torch.randint(-9, 10, values.shape, generator=torch.Generator().manual_seed(1))
    assert torch.equal(add_levels(values, change).int(), (values.int() + change).clamp(0, 255))


def test_the_largest_change_is_of_either_sign():
    values = torch.tensor([[[10, 20]]], dtype=torch.uint8)
    assert largest_change(values, torch.tensor([[[13, 15]]], dtype=torch.uint8)) == 5
    assert largest_change(values[:0], values[:0]) == 0
