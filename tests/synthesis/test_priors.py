"""Bands that add up, steps of one strength, colours as in photographs."""

import pytest
import torch
from torch.nn import functional as F

from cnnviz.synthesis import priors


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("size", [(64, 64), (37, 53), (3, 5), (1, 9)])
def test_bands_add_up_to_what_they_are_made_of(size):
    values = noise(2, 3, *size)
    pyramid = priors.bands(values, 4)
    assert torch.allclose(priors.collapse(pyramid), values, atol=1e-12)
    assert all(min(band.shape[-2:]) >= 1 for band in pyramid)


@pytest.mark.parametrize("size", [(64, 48), (37, 53), (6, 9), (2, 2)])
def test_bands_are_differences_of_torchs_pooling_and_interpolation(size):
    values = noise(2, 3, *size)
    low = F.avg_pool2d(values, 2, ceil_mode=True, count_include_pad=False)
    fine, residual = priors.bands(values, 1)
    assert torch.allclose(residual, low, atol=1e-12)
    assert torch.allclose(fine, values - F.interpolate(low, size, mode="bilinear", align_corners=False), atol=1e-12)


@pytest.mark.parametrize("cell", [2, 4])
@pytest.mark.parametrize("size", [(64, 48), (37, 53)])
def test_slow_colours_are_means_and_brightness_stays(size, cell):
    values = noise(2, 3, *size)
    step, whole = priors.correlate_chroma(values, 0.7, cell), priors.correlate_colors(values, 0.7)
    brightness = whole.mean(1, keepdim=True)
    low = F.avg_pool2d(whole - brightness, cell, ceil_mode=True, count_include_pad=False)
    colours = F.interpolate(low, size, mode="bilinear", align_corners=False)
    assert torch.allclose(step, brightness + colours, atol=1e-6)


def test_a_flat_picture_is_all_residual():
    *fine, residual = priors.bands(torch.full((1, 3, 48, 40), 0.7), 3)
    assert residual.shape == (1, 3, 6, 5)
    assert torch.allclose(residual, torch.tensor(0.7))
    assert all(band.abs().max() < 1e-6 for band in fine)


def test_bands_weighted_by_their_own_strength_are_the_gradient():
    values = noise(2, 3, 40, 56)
    pyramid = priors.bands(values, 3)
    again = priors.collapse([priors.rms(band) * priors.unit(band) for band in pyramid])
    assert torch.allclose(again, values, atol=1e-10)


def test_even_gives_fine_detail_of_little_strength_as_much_as_the_rest():
    y = torch.arange(128, dtype=torch.float64)
    fine = torch.cos(torch.pi * y).view(1, 1, -1, 1).expand(1, 3, 128, 128)  # one pixel up, one down
    coarse = torch.cos(2 * torch.pi * y / 64).view(1, 1, 1, -1).expand(1, 3, 128, 128)
    step = priors.laplacian_normalize(0.01 * fine + coarse, 1.0)
    assert torch.isclose(priors.rms(step)[0, 0, 0, 0], torch.tensor(1.0, dtype=torch.float64))
    share = (step * fine).mean() / (step * coarse).mean()
    assert share > 10 * 0.01
    assert torch.allclose(priors.laplacian_normalize(1e6 * fine, 1.0), priors.laplacian_normalize(fine, 1.0))
    assert not priors.laplacian_normalize(torch.zeros(1, 3, 16, 16), 1.0).any()


def test_even_weighs_coarse_bands_more():
    values = noise(1, 3, 128, 128)
    shares = [
        float(priors.rms(priors.bands(priors.laplacian_normalize(values, factor), 4)[-1]).squeeze())
        for factor in (1.0, 1.5, 2.0)
    ]
    assert shares == sorted(shares)


def test_pictures_of_a_batch_do_not_touch_each_other():
    values = noise(2, 3, 32, 48) * torch.tensor([1.0, 50.0]).view(2, 1, 1, 1)
    both = priors.laplacian_normalize(values, 1.5)
    assert torch.allclose(both, torch.cat([priors.laplacian_normalize(one[None], 1.5) for one in values]))


def test_the_colour_root_squared_is_the_covariance_and_grey_is_its_strongest():
    published = torch.tensor(priors.COLOR_ROOT)
    covariance = published @ published.T
    root = priors.color_correlation_root()
    assert torch.allclose(root, root.T)
    assert torch.allclose(root @ root * torch.linalg.eigvalsh(covariance).max(), covariance, atol=1e-6)
    assert torch.allclose(priors.color_correlation_root(0.0), torch.eye(3), atol=1e-6)
    grey, pink = torch.ones(1, 3, 1, 1), torch.tensor([1.0, -1.0, 0.0]).view(1, 3, 1, 1)
    assert priors.correlate_colors(grey).norm() / grey.norm() > 0.95
    assert priors.correlate_colors(pink).norm() / pink.norm() < 0.35


def test_the_gradient_of_total_variation_is_autograds():
    picture = noise(2, 3, 7, 9).requires_grad_()
    total = sum(picture.diff(dim=dim).abs().sum() for dim in (2, 3))
    assert torch.equal(priors.variation_gradient(picture.detach()), torch.autograd.grad(total, picture)[0])


def test_total_variation_is_steep_beside_an_edge_and_nowhere_else():
    picture = torch.zeros(1, 1, 4, 5)
    picture[..., 2:] = 1
    wanted = torch.zeros_like(picture)
    wanted[..., 1], wanted[..., 2] = -1, 1
    assert torch.equal(priors.variation_gradient(picture), wanted)


@pytest.mark.parametrize("size", [(64, 96), (301, 75)])
def test_in_place_the_steps_are_the_same(size):
    values = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    wanted = priors.unit(priors.correlate_colors(priors.laplacian_normalize(values, 1.4, 0.5)))
    given = values.clone()
    assert priors.unit_(priors.correlate_colors_(priors.laplacian_normalize_(given, 1.4, 0.5))) is given
    assert torch.allclose(given, wanted, atol=1e-12)
