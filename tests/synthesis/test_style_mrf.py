"""The energy of a Markov random field on a network's maps: gradient, own style, regions, constant images."""

import pytest
import torch

from cnnviz.models.features import FeatureExtractor
from cnnviz.models.network import Network
from cnnviz.synthesis.style_mrf import RENEW, PatchEnergy, match_layers
from cnnviz.synthesis.style_patches import PatchSettings

WEIGHTS = {"0": 0.5, "2": 1.0}
ROLLS = ((0, 0), (3, -2))


def image(*size: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def extractor(network: Network) -> FeatureExtractor:
    return FeatureExtractor(network, list(WEIGHTS))


def energy_of(extractor: FeatureExtractor, content: torch.Tensor, *styles: torch.Tensor, shares=None) -> PatchEnergy:
    images = [[image.roll(roll, (2, 3)) for image in (content, *styles)] for roll in ROLLS]
    settings = PatchSettings(stride=1)
    return PatchEnergy([match_layers(extractor, WEIGHTS, own, others, settings, shares) for own, *others in images])


def evaluate(extractor: FeatureExtractor, energy: PatchEnergy, x: torch.Tensor, roll: int = 0):
    gradients: dict[str, torch.Tensor] = {}
    return energy(extractor(x.roll(ROLLS[roll], (2, 3))), roll, gradients), gradients


def test_the_gradient_is_that_of_the_energy_and_is_added(extractor):
    content, style = image(16, 18), image(20, 14, seed=1)
    energy = energy_of(extractor, content, style)
    maps = {name: value.double() for name, value in extractor(content).items()}
    gradients = {"0": torch.ones_like(maps["0"])}
    before = energy(maps, 0, gradients)
    for name, shift in (("0", 1.0), ("2", 0.0)):
        direction = torch.randn(maps[name].shape, generator=torch.Generator().manual_seed(2)).double()
        after = energy(maps | {name: maps[name] + 1e-2 * direction}, 0, {})
        back = energy(maps | {name: maps[name] - 1e-2 * direction}, 0, {})
        slope = ((gradients[name] - shift) * direction).sum()
        assert (after - back) / 2e-2 == pytest.approx(float(slope), rel=1e-3)
    assert before > 0


@pytest.mark.parametrize("roll", [0, 1])
def test_in_its_own_style_the_energy_is_nought_whatever_the_roll(extractor, roll):
    content = image(16, 18)
    value, gradients = evaluate(extractor, energy_of(extractor, content, content), content, roll)
    assert value < 1e-9
    assert max(float(grad.abs().max()) for grad in gradients.values()) < 1e-6


def test_matches_are_renewed(extractor):
    first, style = image(16, 18), image(16, 18, seed=1)
    energy = energy_of(extractor, first, style)
    evaluate(extractor, energy, first)
    stale = [evaluate(extractor, energy, style)[0] for _ in range(RENEW - 1)]
    assert stale[-1] == stale[0] > 0.1
    assert evaluate(extractor, energy, style)[0] == pytest.approx(0, abs=1e-4)


def test_each_region_is_matched_with_its_own_style(extractor):
    content, styles = image(16, 24), [image(16, 24, seed=1), image(16, 24, seed=2)]
    shares = torch.zeros(2, 1, 16, 24)
    shares[0, ..., :12], shares[1, ..., 12:] = 1, 1
    both = torch.cat([styles[0][..., :12], styles[1][..., 12:]], 3)
    energy = energy_of(extractor, content, *styles, shares=shares)
    swapped = energy_of(extractor, content, *styles, shares=shares.flip(0))
    assert evaluate(extractor, energy, both)[0] < 0.5 * evaluate(extractor, swapped, both)[0]


def test_patches_of_all_styles_are_candidates(extractor):
    styles = [image(16, 18, seed=1), image(16, 18, seed=2)]
    for style in styles:
        energy = energy_of(extractor, image(16, 18), *styles)
        assert evaluate(extractor, energy, style)[0] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("style", [torch.full((1, 3, 12, 12), 0.4), torch.zeros(1, 3, 12, 12)])
def test_constant_images_have_a_finite_energy(extractor, style):
    energy = energy_of(extractor, torch.full((1, 3, 12, 12), 0.5), style)
    value, gradients = evaluate(extractor, energy, image(12, 12))
    assert value >= 0
    assert all(torch.isfinite(grad).all() for grad in gradients.values())


def test_an_image_that_is_smaller_than_a_patch_has_no_energy(extractor):
    energy = energy_of(extractor, image(1, 12), image(12, 12))
    assert evaluate(extractor, energy, image(1, 12)) == (0, {})
