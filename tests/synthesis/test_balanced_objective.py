"""Objectives on an image: terms of equal strength, guides and caricatures, tiles for large images."""

import numpy as np
import pytest
import torch

from cnnviz.errors import InvalidRequest
from cnnviz.synthesis import balanced_objective
from cnnviz.synthesis.balanced_objective import (
    BalancedTerms,
    build_objective,
    check_objective,
    choose_gradient,
    fits_untiled,
    make_extractor,
)
from cnnviz.synthesis.objectives import Objective
from cnnviz.synthesis.spec import ObjectiveSpec


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    return torch.rand(1, 3, 96, 128, generator=torch.Generator().manual_seed(1)) / 2 + 0.25


def strengths(objective: Objective, extractor, photo: torch.Tensor) -> torch.Tensor:
    """The root mean squares of the terms' gradients."""
    slopes = []
    for term in objective.terms:
        x = photo.clone().requires_grad_()
        slopes.append(torch.autograd.grad(Objective((term,))(extractor(x)).sum(), x)[0].square().mean().sqrt())
    return torch.stack(slopes)


def test_several_terms_share_the_step_by_their_weights(network, photo):
    spec = ObjectiveSpec({"0": 1.0}, {("2", 1): 2.0}, {3: 0.5})
    extractor = make_extractor(network, spec)
    values = strengths(build_objective(extractor, spec, photo), extractor, photo)
    assert torch.allclose(values, torch.tensor([1.0, 2.0, 0.5]), rtol=1e-4)


def test_terms_of_a_clip_are_balanced_on_its_first_frame(network, photo):
    spec = ObjectiveSpec({"0": 1.0}, {("2", 1): 2.0}, {3: 0.5})
    once = BalancedTerms(network, spec, photo)
    equal = once.objective(photo, [1, 1, 1])
    assert torch.allclose(strengths(equal, once.extractor, photo), torch.ones(3), rtol=1e-4)
    weights = [term.weight for term in equal.terms]
    later = once.objective(photo + 0.1, [2, 0.5, 1])
    assert [term.weight for term in later.terms] == [2 * weights[0], 0.5 * weights[1], weights[2]]


def test_layers_are_checked(network):
    check_objective(network, ObjectiveSpec({"0": 1.0}))
    with pytest.raises(InvalidRequest, match="has no layer '9'"):
        check_objective(network, ObjectiveSpec({"0": 1.0, "9": 1.0}))


def test_a_guide_draws_the_layer_towards_it(network, photo):
    guide = np.random.default_rng(2).integers(256, size=(96, 96, 3), dtype=np.uint8)
    spec = ObjectiveSpec({"0": 1.0}, guides=(guide,))
    extractor = make_extractor(network, spec)
    inputs = torch.from_numpy(guide).permute(2, 0, 1)[None] / 255
    cells = extractor(inputs)["0"].flatten(2)[0]
    expected = (extractor(photo)["0"].flatten(2)[0].T @ cells).amax(1).sum() / (6 * 96 * 128)
    assert torch.allclose(build_objective(extractor, spec, photo)(extractor(photo)), expected, rtol=1e-4)


def test_a_caricature_starts_at_the_photos_mean_square(network, photo):
    spec = ObjectiveSpec({"0": 1.0}, caricature=True)
    extractor = make_extractor(network, spec)
    value = build_objective(extractor, spec, photo)(extractor(photo))
    assert torch.allclose(value, extractor(photo)["0"].square().mean(), rtol=1e-3)


def test_large_images_are_tiled_with_the_same_gradient(network, photo, monkeypatch):
    spec = ObjectiveSpec({"0": 1.0})
    extractor = make_extractor(network, spec)
    gradient = choose_gradient(extractor, build_objective(extractor, spec, photo))
    _, full = gradient(photo)
    monkeypatch.setattr(balanced_objective, "MAX_UNTILED", 1)
    monkeypatch.setattr(balanced_objective, "MAX_ACTIVATIONS", 1)
    _, tiled = gradient(photo)
    assert torch.allclose(full, tiled, atol=1e-9)


def test_images_are_tiled_by_the_memory_that_their_gradient_needs(network, photo, monkeypatch):
    extractor = make_extractor(network, ObjectiveSpec({"1": 1.0}))
    needed = 96 * 128 * extractor.bytes_per_pixel
    monkeypatch.setattr(balanced_objective, "MAX_UNTILED", 96 * 128)
    monkeypatch.setattr(balanced_objective, "MAX_ACTIVATIONS", 0)
    assert fits_untiled(extractor, photo)
    monkeypatch.setattr(balanced_objective, "MAX_UNTILED", 96 * 128 - 1)
    assert not fits_untiled(extractor, photo)
    monkeypatch.setattr(balanced_objective, "MAX_ACTIVATIONS", needed)
    assert fits_untiled(extractor, photo)
    monkeypatch.setattr(balanced_objective, "MAX_ACTIVATIONS", needed - 1)
    assert not fits_untiled(extractor, photo)


def test_a_channel_that_the_layer_lacks_is_refused(network, photo):
    spec = ObjectiveSpec(channels={("0", 6): 1.0})
    with pytest.raises(InvalidRequest, match="channel 6: 0 has 6 channels, 0 to 5"):
        build_objective(make_extractor(network, spec), spec, photo)
