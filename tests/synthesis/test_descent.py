"""Descent on losses whose minimum is known."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from cnnviz.control import Control
from cnnviz.errors import MethodError
from cnnviz.synthesis.ascent import StepObserver
from cnnviz.synthesis.descent import optimize


@dataclass
class Towards:
    """The mean squared distance from a target, whatever the roll."""

    target: Tensor
    rolls: tuple[tuple[int, int], ...] = ((0, 0), (1, 2))

    def __call__(self, image: Tensor, roll: int) -> Tensor:
        assert roll in (0, 1)
        return (image - self.target).square().mean()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


TARGET = torch.rand(1, 3, 6, 5, generator=seeded(1))
GREY = torch.full_like(TARGET, 0.5)


@pytest.mark.parametrize(("optimizer", "steps", "error"), [("adam", 200, 0.03), ("lbfgs", 4, 1e-4)])
def test_the_minimum_is_found(optimizer, steps, error):
    result = optimize(GREY, Towards(TARGET), steps, optimizer=optimizer, epsilon=0.01, generator=seeded())
    assert (result.tensor - TARGET).abs().max() < error
    assert len(result.values) == steps
    assert result.values[0] == pytest.approx(float((GREY - TARGET).square().mean()))


def test_smoothed_steps_change_neighbours_together():
    spot = GREY.clone()
    spot[..., 3, 2] = 1
    plain, smooth = (
        optimize(GREY, Towards(spot), 3, epsilon=1.0, smoothing=smoothing, generator=seeded()).tensor - GREY
        for smoothing in (0.0, 0.8)
    )
    assert plain[..., 3, 1].abs().max() < 1e-6
    assert (smooth[..., 3, 2] > smooth[..., 3, 1]).all()
    assert (smooth[..., 3, 1] > 1e-3).all()


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_values_stay_in_range_and_the_given_image_as_it_is(optimizer):
    grey = GREY.clone()
    result = optimize(grey, Towards(TARGET * 4 - 1), 120, optimizer=optimizer, epsilon=0.01, generator=seeded())
    assert result.tensor.min() >= 0
    assert result.tensor.max() <= 1
    assert torch.equal(grey, GREY)


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_an_image_at_the_minimum_stays(optimizer):
    result = optimize(TARGET, Towards(TARGET), 10, optimizer=optimizer, epsilon=0.01, generator=seeded())
    torch.testing.assert_close(result.tensor, TARGET, atol=1e-6, rtol=0)


def test_a_stopped_descent_returns_what_it_has_and_steps_are_reported():
    seen: list[int] = []
    control = Control(stopped=lambda: len(seen) == 3)
    observer = StepObserver(control, on_step=lambda at: seen.append(at.step) or at.tensor(), before=4, of=20)
    result = optimize(GREY, Towards(TARGET), 10, generator=seeded(), observer=observer)
    assert len(result.values) == 3
    assert seen == [5, 6, 7]
    stopped = StepObserver(Control(stopped=lambda: True))
    assert torch.equal(optimize(GREY, Towards(TARGET), 10, generator=seeded(), observer=stopped).tensor, GREY)


def test_a_loss_that_is_no_number_is_an_error():
    with pytest.raises(MethodError, match="finite"):
        optimize(GREY, Towards(TARGET * torch.nan), 2, generator=seeded())
