"""Sizes, steps and rolls, and the passage from one size to the next."""

import pytest
import torch

from cnnviz.control import Control
from cnnviz.synthesis.ascent import StepObserver
from cnnviz.synthesis.coarse_to_fine import Schedule, coarse_to_fine, scale_styles
from tests.synthesis.test_descent import Towards, seeded


def test_sizes_grow_to_the_images_own_and_steps_fall():
    schedule = Schedule()
    assert schedule.sizes((341, 512)) == [(118, 177), (200, 301), (341, 512)]
    assert schedule.steps_at(3) == [196, 140, 100]
    assert schedule.sizes((1, 90)) == [(1, 90)]
    assert schedule.steps_at(5)[:2] == [200, 200]


def test_rolls_are_at_most_an_eighth_of_the_image():
    rolls = Schedule(rolls=50).draw_rolls((300, 32), seeded())
    assert len(rolls) == 50
    assert max(abs(shift) for roll in rolls for shift in roll) == 4
    assert Schedule().draw_rolls((7, 300), seeded()) == ((0, 0),)
    assert Schedule(optimizer="lbfgs").draw_rolls((300, 300), seeded()) == ((0, 0),)


def test_styles_are_scaled_relative_to_the_image():
    styles = [torch.rand(1, 3, 40, 20), torch.rand(1, 3, 1, 500)]
    assert [tuple(style.shape[2:]) for style in scale_styles(styles, (60, 80), 0.5)] == [(40, 20), (1, 40)]


def test_each_size_starts_with_its_own_start_plus_the_changes_so_far():
    content, first = torch.rand(1, 3, 30, 40, generator=seeded()) / 2 + 0.2, []
    schedule = Schedule(steps=60, smallest=20, epsilon=0.01)

    def loss(small: torch.Tensor, styles: object, rolls: object) -> Towards:
        first.append(small)
        return Towards(small + 0.2)

    image, sizes = coarse_to_fine(content, [], loss, lambda small, _: small.clone(), schedule, generator=seeded())
    assert [tuple(small.shape[2:]) for small in first] == [(18, 24), (30, 40)]
    assert [at.size for at in sizes] == [(18, 24), (30, 40)]
    assert [len(at.losses) for at in sizes] == [84, 60]
    assert sizes[0].losses[0] == pytest.approx(0.04, rel=1e-4)
    assert sizes[1].losses[0] < 0.001
    torch.testing.assert_close(image, content + 0.2, atol=0.02, rtol=0)


def test_a_stop_keeps_the_size_that_was_reached():
    control = Control(stopped=lambda: True)
    image, sizes = coarse_to_fine(
        torch.rand(1, 3, 30, 40), [], lambda small, *_: Towards(small), lambda small, _: small.clone(),
        Schedule(smallest=20), generator=seeded(), observer=StepObserver(control),
    )  # fmt: skip
    assert tuple(image.shape[2:]) == (18, 24)
    assert [at.losses for at in sizes] == [()]
