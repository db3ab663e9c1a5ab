"""The ascent: its direction on a linear layer, its views, its octaves, stopping."""

import pytest
import torch
from torch import nn

from cnnviz.control import Control
from cnnviz.synthesis import ascent, objectives, priors
from cnnviz.synthesis.objectives import Objective


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def plain(_picture, slope, _share):
    return 0.01 * priors.unit(slope)


def extractor_of(module: nn.Module):
    return lambda x: {"a": module(x)}


def jitter(most: int) -> ascent.View:
    """The view that rolls the image: what ``jitter_gradient`` computes without autograd."""

    def view(picture, _share, generator):
        down, across = torch.randint(-most, most + 1, (2,), generator=generator).tolist()
        return picture.roll((down, across), (2, 3))

    return view


def test_a_linear_layer_is_climbed_along_its_weights():
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 4, 1).requires_grad_(False)
    gradient = ascent.full_gradient(extractor_of(conv), Objective((objectives.channel("a", 2),)))
    grey = torch.full((1, 3, 5, 6), 0.5)
    values, slope = gradient(grey)
    assert torch.allclose(values, conv(grey)[:, 2].mean((1, 2)))
    weights = conv.weight[2, :, 0, 0]
    assert torch.allclose(slope, (weights / 30).view(1, 3, 1, 1).expand_as(slope))
    done = ascent.ascend(grey, gradient, plain, steps=3, generator=seeded())
    length = weights.square().mean().sqrt()
    assert torch.allclose(done.tensor - 0.5, (0.03 * weights / length).view(1, 3, 1, 1).expand_as(slope), atol=1e-6)
    assert done.done == 3


def test_the_picture_stays_between_black_and_white_and_the_start_is_left_alone():
    start = torch.rand(1, 3, 8, 8, generator=seeded())
    kept = start.clone()
    gradient = ascent.full_gradient(lambda x: {"a": x}, Objective((objectives.channel("a", 0),)))
    end = ascent.ascend(start, gradient, lambda _p, slope, _s: 100 * slope, steps=2, generator=seeded())
    assert torch.equal(end.tensor[:, 0], torch.ones(1, 8, 8))
    assert torch.equal(end.tensor[:, 1:], kept[:, 1:])
    assert torch.equal(start, kept)


def test_octaves_grow_to_the_size_and_leave_out_what_is_too_small():
    assert ascent.octave_sizes((512, 700), 4, 1.4, 32) == [(187, 255), (261, 357), (366, 500), (512, 700)]
    assert ascent.octave_sizes((100, 60), 4, 1.4, 32) == [(71, 43), (100, 60)]
    assert ascent.octave_sizes((20, 60), 4, 1.4, 32) == [(20, 60)]


def test_the_gradient_comes_back_through_the_jitter():
    weights = torch.rand(1, 3, 9, 9, generator=seeded(1))
    seen = []

    def gradient(picture):
        seen.append(picture)
        return (picture * weights).sum((1, 2, 3)), weights

    start = torch.rand(1, 3, 9, 9, generator=seeded()) / 2 + 0.25
    steps = []

    def rule(_picture, slope, _share):
        steps.append(slope)
        return 0 * slope

    ascent.ascend(start, gradient, rule, steps=5, generator=seeded(), view=jitter(4))
    assert any(not torch.equal(picture, start) for picture in seen)
    for picture, slope in zip(seen, steps, strict=True):
        assert torch.equal(picture.flatten().sort()[0], start.flatten().sort()[0])
        assert torch.isclose((slope * start).sum(), (weights * picture).sum())


def test_one_seed_one_picture():
    conv = nn.Conv2d(3, 4, 3, padding=1).requires_grad_(False)
    gradient = ascent.full_gradient(extractor_of(conv), Objective((objectives.layer("a"),)))
    start = torch.rand(1, 3, 16, 16, generator=seeded())

    def end(seed):
        return ascent.ascend(start, gradient, plain, steps=4, generator=seeded(seed), view=jitter(5)).tensor

    assert torch.equal(end(0), end(0))
    assert not torch.equal(end(0), end(1))


@pytest.mark.parametrize("after", [0, 2])
def test_stopped_it_keeps_the_steps_that_are_done(after):
    steps, reports = [], []
    control = Control(lambda *report: reports.append(report), lambda: len(steps) == after)
    gradient = ascent.full_gradient(lambda x: {"a": x}, Objective((objectives.channel("a", 0),)))
    end = ascent.ascend(
        torch.full((1, 3, 4, 4), 0.5), gradient, lambda _p, _g, _s: torch.full((1, 3, 4, 4), 0.1), steps=5,
        generator=seeded(), observer=ascent.StepObserver(control, steps.append, before=10, of=20),
    )  # fmt: skip
    assert end.done == after
    assert [(at.step, at.of) for at in steps] == [(11 + number, 20) for number in range(after)]
    assert reports == [(at.step, 20, f"objective {at.value:.4g}") for at in steps]
    assert torch.allclose(end.tensor, torch.tensor(0.5 + 0.1 * after))
    assert (end.values is None) == (after == 0)


def test_noise_is_grey_and_of_the_seed():
    start = ascent.grey_noise((40, 50), seeded(3), 2)
    assert start.shape == (2, 3, 40, 50)
    assert torch.equal(start, ascent.grey_noise((40, 50), seeded(3), 2))
    assert abs(float(start.mean()) - 0.5) < 0.002
    assert 0.025 < float(start.std()) < 0.035


def test_smooth_noise_is_grey_and_has_no_fine_grain():
    start = ascent.smooth_noise((80, 100), seeded(3), 2)
    assert start.shape == (2, 3, 80, 100)
    assert torch.equal(start, ascent.smooth_noise((80, 100), seeded(3), 2))
    assert torch.equal(start[:, 0], start[:, 2])
    assert not torch.equal(start[0], start[1])
    assert 0.02 < float(start.std()) < 0.035
    assert float(start.diff(dim=3).abs().max()) < 0.02


def test_steps_shrink_to_a_fifth_and_pull_to_grey():
    assert ascent.shrinking_step_size(0.5, 0) == 0.5
    assert ascent.shrinking_step_size(0.5, 1) == pytest.approx(0.1)
    assert torch.allclose(ascent.pull_to_grey(torch.full((1, 3, 4, 5), 0.75)), torch.tensor(-0.005))
