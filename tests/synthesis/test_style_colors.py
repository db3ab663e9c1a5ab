"""Colours moved and kept, against their closed forms."""

import torch

from cnnviz.synthesis.style_colors import match_colors, match_luminance, with_colors_of
from cnnviz.synthesis.style_statistics import moments
from cnnviz.synthesis.transforms import luminance


def some(low: float, high: float, seed: int) -> torch.Tensor:
    image = torch.rand(1, 3, 30, 40, generator=torch.Generator().manual_seed(seed))
    image[:, 1] = (image[:, 0] + image[:, 1]) / 2
    return low + (high - low) * image


def test_matched_colors_have_the_styles_mean_and_covariance():
    matched, style = moments(match_colors(some(0.2, 0.8, 0), some(0.4, 0.6, 1)).double()), moments(some(0.4, 0.6, 1))
    torch.testing.assert_close(matched.mean, style.mean, atol=1e-6, rtol=0)
    torch.testing.assert_close(matched.covariance, style.covariance, atol=2e-5, rtol=0)


def test_an_image_matched_to_itself_stays():
    torch.testing.assert_close(match_colors(some(0, 1, 0), some(0, 1, 0)), some(0, 1, 0), atol=1e-6, rtol=0)


def test_grey_and_constant_images_are_matched_without_amplified_noise():
    grey = torch.full((1, 3, 8, 8), 0.5) + torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)) / 1000
    matched = match_colors(grey, some(0, 1, 0))
    assert torch.isfinite(matched).all()
    assert matched.std((2, 3)).max() < 0.1
    assert torch.isfinite(match_colors(some(0, 1, 0), torch.full((1, 3, 4, 4), 0.25))).all()


def test_luminance_keeps_the_colours_exactly():
    photo = (some(0, 1, 0) * 255).round() / 255
    kept = with_colors_of(some(0, 1, 1), photo)
    torch.testing.assert_close(kept - luminance(kept), photo - luminance(photo), atol=1e-6, rtol=0)
    assert kept.min() >= 0
    assert kept.max() <= 1
    torch.testing.assert_close(with_colors_of(photo, photo), photo, atol=1e-6, rtol=0)


def test_a_style_in_grey_has_the_photos_brightness():
    grey, photo = match_luminance(some(0.4, 0.5, 0), some(0.3, 0.7, 1)), luminance(some(0.3, 0.7, 1))
    assert torch.equal(grey[:, 0], grey[:, 2])
    torch.testing.assert_close(grey.mean(), photo.mean(), atol=1e-4, rtol=0)
    torch.testing.assert_close(grey[:, 0].std(), photo.std(), atol=1e-3, rtol=0)
    assert torch.isfinite(match_luminance(torch.full((1, 3, 4, 4), 0.5), photo.expand(1, 3, -1, -1))).all()
