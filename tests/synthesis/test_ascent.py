"""The climb: its direction on a linear layer, its views, its end."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnnviz.synthesis import ascent, objectives, priors
from cnnviz.synthesis.objectives import Objective


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def plain(_picture, slope, _share):
    return 0.01 * priors.unit(slope)


def trunk_of(module: nn.Module):
    return lambda x: {"a": module(x)}


def jitter(most: int) -> ascent.View:
    """The view that rolls the picture: what ``jittered`` is to give, by autograd."""

    def view(picture, _share, generator):
        down, across = torch.randint(-most, most + 1, (2,), generator=generator).tolist()
        return picture.roll((down, across), (2, 3))

    return view


def test_a_linear_layer_is_climbed_along_its_weights():
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 4, 1).requires_grad_(False)
    gradient = ascent.full_gradient(trunk_of(conv), Objective((objectives.channel("a", 2),)))
    grey = torch.full((1, 3, 5, 6), 0.5)
    values, slope = gradient(grey)
    assert torch.allclose(values, conv(grey)[:, 2].mean((1, 2)))
    weights = conv.weight[2, :, 0, 0]
    assert torch.allclose(slope, (weights / 30).view(1, 3, 1, 1).expand_as(slope))
    done = ascent.ascend(grey, gradient, plain, steps=3, generator=seeded())
    length = weights.square().mean().sqrt()
    assert torch.allclose(done.picture - 0.5, (0.03 * weights / length).view(1, 3, 1, 1).expand_as(slope), atol=1e-6)
    assert done.done == 3


def test_the_picture_stays_between_black_and_white_and_the_start_is_left_alone():
    start = torch.rand(1, 3, 8, 8, generator=seeded())
    kept = start.clone()
    gradient = ascent.full_gradient(lambda x: {"a": x}, Objective((objectives.channel("a", 0),)))
    end = ascent.ascend(start, gradient, lambda _p, slope, _s: 100 * slope, steps=2, generator=seeded())
    assert torch.equal(end.picture[:, 0], torch.ones(1, 8, 8))
    assert torch.equal(end.picture[:, 1:], kept[:, 1:])
    assert torch.equal(start, kept)


def test_octaves_grow_to_the_size_and_leave_out_what_is_too_small():
    assert ascent.octave_sizes((512, 700), 4, 1.4) == [(187, 255), (261, 357), (366, 500), (512, 700)]
    assert ascent.octave_sizes((100, 60), 4, 1.4) == [(71, 43), (100, 60)]
    assert ascent.octave_sizes((20, 60), 4, 1.4) == [(20, 60)]


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
    gradient = ascent.full_gradient(trunk_of(conv), Objective((objectives.layer("a"),)))
    start = torch.rand(1, 3, 16, 16, generator=seeded())

    def end(seed):
        return ascent.ascend(start, gradient, plain, steps=4, generator=seeded(seed), view=jitter(5)).picture

    assert torch.equal(end(0), end(0))
    assert not torch.equal(end(0), end(1))


@pytest.mark.parametrize("after", [0, 2])
def test_it_stops_when_asked_and_keeps_what_it_has(after):
    told = []
    gradient = ascent.full_gradient(lambda x: {"a": x}, Objective((objectives.channel("a", 0),)))
    end = ascent.ascend(
        torch.full((1, 3, 4, 4), 0.5), gradient, lambda _p, _g, _s: torch.full((1, 3, 4, 4), 0.1), steps=5,
        generator=seeded(), progress=lambda step, values, picture: told.append((step, float(values), picture)),
        stop=lambda: len(told) == after,
    )  # fmt: skip
    assert end.done == after
    assert [step for step, _, _ in told] == list(range(1, after + 1))
    assert torch.allclose(end.picture, torch.tensor(0.5 + 0.1 * after))
    assert (end.values is None) == (after == 0)


@pytest.mark.parametrize("copied", [0, 1 << 20])
def test_jittered_in_place_or_not_is_the_view_and_leaves_the_picture(copied, monkeypatch):
    monkeypatch.setattr(ascent, "COPIED", copied)
    picture = torch.rand(1, 3, 20, 24, generator=seeded())
    weights = torch.rand(20, 24, generator=seeded(1))

    def gradient(x):
        return (x * weights).sum((1, 2, 3)), weights.expand_as(x).clone()

    before = picture.clone()
    plain = [ascent.ascend(picture, gradient, lambda _p, s, _d: 0.01 * s, steps=3, generator=seeded(2),
                          view=jitter(4)).picture]  # fmt: skip
    assert torch.equal(picture, before)
    rolled = ascent.jitter_view(gradient, 4, generator := seeded(2))
    rolled(picture)
    assert torch.equal(picture, before)
    generator.manual_seed(2)
    end = ascent.ascend(picture, rolled, lambda _p, s, _d: 0.01 * s, steps=3, generator=generator, inplace=True)
    assert end.picture is picture
    assert torch.equal(end.picture, plain[0])


@pytest.mark.parametrize("deviation", [0.3, 1.0, 6.0])
def test_a_blur_is_a_gaussian_over_the_mirrored_picture(deviation):
    picture = torch.rand(2, 3, 23, 40, generator=seeded(), dtype=torch.float64)
    seen = ascent.blur_view(picture, deviation)
    reach = min(-int(-3 * deviation // 1), 22)
    y, x = (torch.arange(-reach, reach + 1, dtype=torch.float64),) * 2
    kernel = torch.exp(-(y[:, None] ** 2 + x**2) / (2 * deviation**2))
    wide = F.pad(picture, (reach,) * 4, mode="reflect")
    wanted = F.conv2d(wide, (kernel / kernel.sum()).expand(3, 1, -1, -1), groups=3)
    assert torch.allclose(seen, wanted, atol=1e-6)
