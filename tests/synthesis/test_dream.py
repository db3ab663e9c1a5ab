"""The dream on networks small enough to know the result: octaves, masks, colours, stopping half way."""

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz.control import Control, Stopped
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.io.convert import to_image, to_tensor
from cnnviz.models.features import FeatureExtractor
from cnnviz.models.network import Network
from cnnviz.synthesis import ascent, priors
from cnnviz.synthesis.dream import DreamResult, DreamSettings, bounded_size, composite, dream, jitter_gradient
from cnnviz.synthesis.spec import ObjectiveSpec
from cnnviz.synthesis.transforms import resize

FLAT = {"steps": 3, "octaves": 1, "jitter": 0}


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    return torch.rand(1, 3, 96, 128, generator=torch.Generator().manual_seed(1)) / 2 + 0.25


def dreamt(network: Network, photo: torch.Tensor, mask=None, seed=0, **settings) -> DreamResult:
    return dream(network, photo, "0", settings=DreamSettings(**settings), mask=mask, seed=seed)


def test_octaves_grow_to_the_photo_and_steps_are_reported(network, photo):
    steps, reports = [], []
    settings = DreamSettings(steps=2, octaves=3, octave_scale=1.2)
    control = Control(lambda done, total, text: reports.append((done, total)))
    result = dream(network, photo, ["0"], settings=settings, control=control, on_step=steps.append)
    assert result.sizes == ((67, 89), (80, 107), (96, 128))
    assert result.tensor.shape == photo.shape
    assert [(at.step, at.of) for at in steps] == [(n + 1, 6) for n in range(6)]
    pixels = [height * width for height, width in result.sizes for _ in range(2)]
    assert reports == [(sum(pixels[: n + 1]), sum(pixels)) for n in range(6)]
    assert torch.equal(steps[-1].tensor(), result.tensor)
    assert [at.value for at in steps[1::2]] == list(result.values)
    assert (result.done, result.of) == (6, 6)
    assert result.objective == ObjectiveSpec({"0": 1.0})


def test_it_increases_the_activation_of_a_photo_in_one_call(network, photo):
    extractor = FeatureExtractor(network, ["0"])
    image = (photo[0] * 255).byte().permute(1, 2, 0).numpy()
    result = dream(network, image, "0")
    before, after = (float(extractor(x)["0"].square().mean()) for x in (photo, result.tensor))
    assert after > 2 * before
    assert result.image.shape == image.shape
    assert result.image.dtype == np.uint8


def test_a_step_has_the_requested_length(network, photo):
    result = dreamt(network, photo, steps=1, octaves=1, jitter=0, step_size=0.01)
    assert torch.isclose((result.tensor - photo).square().mean().sqrt(), torch.tensor(0.01), rtol=1e-4)


def test_the_same_seed_gives_the_same_image(network, photo):
    first, again, other = (dreamt(network, photo, steps=2, seed=seed).tensor for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_mask_keeps_the_outside_bit_for_bit(network, photo):
    mask = torch.zeros(1, 1, 96, 128)
    mask[..., 30:60, 40:90] = 1
    mask[..., 60:70, 40:90] = 0.5
    result = dreamt(network, photo, mask, steps=2).tensor
    outside = (mask == 0).expand_as(photo)
    assert torch.equal(result[outside], photo[outside])
    assert (result - photo)[~outside].abs().mean() > 0.01


def test_the_change_of_a_large_photo_is_that_of_the_small_one_enlarged(network, photo):
    settings = {"steps": 2, "octaves": 2, "strength": 0.8}
    steps = []
    large = dream(network, photo, "0", settings=DreamSettings(compute_size=80, **settings), on_step=steps.append)
    small = resize(photo, (60, 80)).clamp(0, 1)
    alone = dream(network, small, "0", settings=DreamSettings(compute_size="full", **settings | {"strength": 1}))
    assert large.sizes == alone.sizes == ((60, 80),)
    expected = (photo + 0.8 * resize(alone.tensor - small, (96, 128))).clamp(0, 1)
    assert torch.allclose(large.tensor, expected, atol=1e-6)
    assert torch.equal(steps[-1].tensor(), large.tensor)


def test_a_photo_up_to_the_compute_size_is_computed_at_its_own(network, photo):
    own, other = (dreamt(network, photo, steps=2, compute_size=size) for size in ("full", 128))
    assert own.sizes == other.sizes
    assert own.sizes[-1] == (96, 128)
    assert torch.equal(own.tensor, other.tensor)


@pytest.mark.parametrize(("longest", "size"), [("full", (30, 40)), (40, (30, 40)), (20, (15, 20)), (10, (8, 10))])
def test_a_size_is_bounded_by_its_longer_side(longest, size):
    assert bounded_size((30, 40), longest) == size


@pytest.mark.parametrize("colors", [False, True])
def test_outside_the_mask_a_large_photo_keeps_its_bytes(network, photo, colors):
    image, mask = to_image(photo), torch.zeros(1, 1, 96, 128)
    mask[..., 31:60, 43:90] = 1
    result = dreamt(network, to_tensor(image), mask, steps=2, compute_size=50, original_colors=colors).image
    outside = mask[0, 0].numpy() == 0
    assert np.array_equal(result[outside], image[outside])
    assert (result != image)[~outside].mean() > 0.5


def test_a_composite_blends_by_strength_mask_and_brightness():
    base, change = torch.full((1, 3, 2, 2), 0.5), torch.zeros(1, 3, 2, 2)
    change[:, 0] = 0.2  # redder
    assert torch.allclose(composite(base, change, DreamSettings(strength=0.5), None)[:, 0], torch.tensor(0.6))
    half = composite(base, change, DreamSettings(), torch.tensor([[[[0.0, 0.5], [1.0, 1.0]]]]))
    assert torch.allclose(half[0, 0], torch.tensor([[0.5, 0.6], [0.7, 0.7]]))
    grey = composite(base, change, DreamSettings(original_colors=True), None)
    assert torch.allclose(grey, torch.tensor(0.5 + 0.299 * 0.2))


def test_original_colours_are_the_photos(network, photo):
    change = dreamt(network, photo, original_colors=True, step_size=0.002, **FLAT).tensor - photo
    assert change.abs().max() > 0.001
    assert torch.allclose(change[:, 0], change[:, 1], atol=1e-6)
    assert torch.allclose(change[:, 0], change[:, 2], atol=1e-6)


@pytest.mark.parametrize("after", [0, 3, 5])
def test_stopped_in_an_octave_it_returns_the_result_so_far_at_full_size(network, photo, after):
    steps = []
    control = Control(stopped=lambda: len(steps) >= after)
    result = dream(network, photo, "0", settings=DreamSettings(steps=4, octaves=2), control=control,
                   on_step=steps.append)  # fmt: skip
    assert (result.done, result.of) == (after, 8)
    assert result.tensor.shape == photo.shape
    assert torch.equal(result.tensor, steps[-1].tensor() if steps else photo)
    assert len(result.values) == (after > 0) + (after > 4)


def test_total_variation_smooths(network, photo):
    rough, smooth = (dreamt(network, photo, tv_weight=weight).tensor for weight in (0.0, 0.5))
    variation = [float(x.diff(dim=2).abs().mean() + x.diff(dim=3).abs().mean()) for x in (rough, smooth)]
    assert variation[1] < 0.8 * variation[0]


def test_a_zero_gradient_and_what_the_network_lacks_are_refused(photo):
    dead = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    nn.init.constant_(dead[0].weight, 0.0)
    network = Network.from_module(dead, (32, 32), (0.5,) * 3, (0.5,) * 3)
    with pytest.raises(MethodError, match="the objective's gradient is zero"):
        dreamt(network, photo, **FLAT)
    with pytest.raises(InvalidRequest, match="channel 2: 0 has 2"):
        dream(network, photo, objective=ObjectiveSpec(channels={("0", 2): 1.0}))
    with pytest.raises(InvalidRequest, match="gives no feature maps"):
        dream(network, photo, "3")


def jitter(most: int) -> ascent.View:
    """The view that rolls the image: what ``jitter_gradient`` computes without autograd."""

    def view(image, _share, generator):
        dy, dx = torch.randint(-most, most + 1, (2,), generator=generator).tolist()
        return image.roll((dy, dx), (2, 3))

    return view


def given_up(_image):
    raise Stopped


@pytest.mark.parametrize("copied", [0, 1 << 20])
def test_jitter_in_place_or_not_is_the_view_and_leaves_the_image(copied, monkeypatch):
    monkeypatch.setattr(priors, "MAX_COPIED", copied)
    picture = torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    weights = torch.rand(20, 24, generator=torch.Generator().manual_seed(1))

    def gradient(x):
        return (x * weights).sum((1, 2, 3)), weights.expand_as(x).clone()

    before = picture.clone()
    generator = torch.Generator().manual_seed(2)
    plain = ascent.ascend(picture, gradient, lambda _p, s, _d: 0.01 * s, steps=3, generator=generator, view=jitter(4))
    assert torch.equal(picture, before)
    rolled = jitter_gradient(gradient, 4, generator)
    rolled(picture)
    assert torch.equal(picture, before)
    with pytest.raises(Stopped):
        jitter_gradient(given_up, 4, generator)(picture)
    assert torch.equal(picture, before)
    generator.manual_seed(2)
    end = ascent.ascend(picture, rolled, lambda _p, s, _d: 0.01 * s, steps=3, generator=generator, inplace=True)
    assert end.tensor is picture
    assert torch.equal(end.tensor, plain.tensor)
