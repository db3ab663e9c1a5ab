"""The dream on networks small enough to know the answer: octaves, masks, colours, guides, an end half way."""

import pytest
import torch
from torch import nn

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.features import FeatureExtractor
from cnnviz.models.network import Network
from cnnviz.synthesis.dream import composite, dream, grey_noise
from cnnviz.synthesis.spec import ObjectiveSpec, build_objective

LAYER = ObjectiveSpec({"0": 1.0}, {}, {})
FLAT = {"steps": 3, "octaves": 1, "jitter": 0}


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    body = [nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return Network.from_module(nn.Sequential(*body), (96, 96), (0.5,) * 3, (0.5,) * 3)


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    return torch.rand(1, 3, 96, 128, generator=torch.Generator().manual_seed(1)) / 2 + 0.25


def aim(layers=(), channels=(), classes=(), **more) -> ObjectiveSpec:
    return ObjectiveSpec(dict(layers), dict(channels), dict(classes), **more)


def test_octaves_grow_to_the_photo_and_steps_are_told(network, photo):
    told = []
    found = dream(network, photo, aim=LAYER, steps=2, octaves=3, octave_scale=1.2, progress=told.append)
    assert found.sizes == ((67, 89), (80, 107), (96, 128))
    assert found.picture.shape == photo.shape
    assert [(at.step, at.of, at.octave) for at in told] == [(n + 1, 6, n // 2) for n in range(6)]
    assert torch.equal(told[-1].picture(), found.picture)
    assert [at.value for at in told[1::2]] == list(found.values)
    assert (found.done, found.of) == (6, 6)


def test_it_climbs(network, photo):
    trunk = FeatureExtractor(network, ["0"])
    before, after = (float(trunk(x)["0"].square().mean()) for x in (photo, dream(network, photo, aim=LAYER).picture))
    assert after > 2 * before


def test_a_step_has_the_length_that_was_asked_for(network, photo):
    found = dream(network, photo, aim=LAYER, steps=1, octaves=1, jitter=0, step_size=0.01)
    assert torch.isclose((found.picture - photo).square().mean().sqrt(), torch.tensor(0.01), rtol=1e-4)


def test_the_same_seed_gives_the_same_picture(network, photo):
    first, again, other = (dream(network, photo, aim=LAYER, steps=2, seed=seed).picture for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_mask_keeps_what_is_outside_to_the_bit(network, photo):
    mask = torch.zeros(1, 1, 96, 128)
    mask[..., 30:60, 40:90] = 1
    mask[..., 60:70, 40:90] = 0.5
    found = dream(network, photo, aim=LAYER, mask=mask, steps=2).picture
    outside = (mask == 0).expand_as(photo)
    assert torch.equal(found[outside], photo[outside])
    assert (found - photo)[~outside].abs().mean() > 0.01


def test_laying_on_blends_by_strength_mask_and_brightness():
    base, dreamt = torch.full((1, 3, 2, 2), 0.5), torch.zeros(1, 3, 2, 2)
    dreamt[:, 0] = 0.2  # redder
    assert torch.allclose(composite(base, dreamt, 0.5, False, None)[:, 0], torch.tensor(0.6))
    half = composite(base, dreamt, 1, False, torch.tensor([[[[0.0, 0.5], [1.0, 1.0]]]]))
    assert torch.allclose(half[0, 0], torch.tensor([[0.5, 0.6], [0.7, 0.7]]))
    grey = composite(base, dreamt, 1, True, None)
    assert torch.allclose(grey, torch.tensor(0.5 + 0.299 * 0.2))


def test_original_colours_are_the_photos(network, photo):
    found = dream(network, photo, aim=LAYER, original_colors=True, step_size=0.002, **FLAT).picture
    change = found - photo
    assert change.abs().max() > 0.001
    assert torch.allclose(change[:, 0], change[:, 1], atol=1e-6)
    assert torch.allclose(change[:, 0], change[:, 2], atol=1e-6)


@pytest.mark.parametrize("after", [0, 3, 5])
def test_stopped_in_an_octave_it_gives_what_there_is_at_full_size(network, photo, after):
    told = []
    found = dream(network, photo, aim=LAYER, steps=4, octaves=2, progress=told.append, stop=lambda: len(told) >= after)
    assert (found.done, found.of) == (after, 8)
    assert found.picture.shape == photo.shape
    assert torch.equal(found.picture, told[-1].picture() if told else photo)
    assert len(found.values) == (after > 0) + (after > 4)


def test_several_terms_share_the_step_by_their_weights(network, photo):
    both = aim({"0": 1.0}, {("2", 1): 2.0}, {3: 0.5})
    trunk = FeatureExtractor(network, both.names)
    terms = build_objective(trunk, both, photo).terms
    slopes = []
    for term in terms:
        x = photo.clone().requires_grad_()
        values = type(build_objective(trunk, both, photo))((term,))(trunk(x))
        slopes.append(torch.autograd.grad(values.sum(), x)[0].square().mean().sqrt())
    assert torch.allclose(torch.stack(slopes), torch.tensor([1.0, 2.0, 0.5]), rtol=1e-4)


def test_a_guide_draws_the_layer_towards_it(network, photo):
    guide = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    guided = aim({"0": 1.0}, guides=(guide,))
    trunk = FeatureExtractor(network, ["0"])
    cells = trunk(guide)["0"].flatten(2)[0]
    wanted = (trunk(photo)["0"].flatten(2)[0].T @ cells).amax(1).sum() / (6 * 96 * 128)
    assert torch.allclose(build_objective(trunk, guided, photo)(trunk(photo)), wanted, rtol=1e-4)


def test_a_caricature_begins_at_the_photos_mean_square(network, photo):
    trunk = FeatureExtractor(network, ["0"])
    value = build_objective(trunk, aim({"0": 1.0}, caricature=True), photo)(trunk(photo))
    assert torch.allclose(value, trunk(photo)["0"].square().mean(), rtol=1e-3)


def test_smoothing_lowers_the_total_variation(network, photo):
    rough, smooth = (dream(network, photo, aim=LAYER, tv_weight=weight).picture for weight in (0.0, 0.5))
    variation = [float(x.diff(dim=2).abs().mean() + x.diff(dim=3).abs().mean()) for x in (rough, smooth)]
    assert variation[1] < 0.8 * variation[0]


def test_nothing_to_climb_and_a_channel_too_many_are_told(photo):
    dead = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    nn.init.constant_(dead[0].weight, 0.0)
    network = Network.from_module(dead, (32, 32), (0.5,) * 3, (0.5,) * 3)
    with pytest.raises(MethodError, match="nothing in this picture moves"):
        dream(network, photo, aim=LAYER, **FLAT)
    with pytest.raises(InvalidRequest, match="channel 2: 0 has 2"):
        dream(network, photo, aim=aim(channels={("0", 2): 1.0}), **FLAT)
    with pytest.raises(InvalidRequest, match="gives no feature maps"):
        dream(network, photo, aim=aim({"3": 1.0}), **FLAT)


def test_from_nothing_is_grey_with_little_noise():
    start = grey_noise((40, 50), 3)
    assert start.shape == (1, 3, 40, 50)
    assert torch.equal(start, grey_noise((40, 50), 3))
    assert abs(float(start.mean()) - 0.5) < 0.002
    assert 0.025 < float(start.std()) < 0.035
