"""Colour transfer: mean and covariance of a reference, over many frames of a zoom and for grey images."""

import torch

from cnnviz.synthesis.color_transfer import ColorMatchedStylizer, color_statistics, match_colors
from cnnviz.synthesis.zoom import zoom

SIZE = (48, 64)


def still(start, frame, steps, number):
    return start


def smooth():
    """A smooth image, RGB (1, 3, H, W) in 0.1 to 0.9."""
    x, y = torch.arange(SIZE[1])[None], torch.arange(SIZE[0])[:, None]
    return torch.stack([0.5 + 0.4 * torch.sin(x / 6 + k) * torch.cos(y / 7 - k) for k in range(3)])[None]


def test_statistics_are_those_asked_for():
    image = 0.5 + 0.1 * torch.randn(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    mean, covariance = torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1), 0.005 * (torch.eye(3) + 0.5)
    own_mean, own = color_statistics(match_colors(image, mean, covariance))
    assert torch.allclose(own_mean, mean, atol=1e-4)
    assert torch.allclose(own, covariance, atol=1e-4)


def test_a_matched_zoom_keeps_mean_and_covariance_of_colours():
    picture = 0.35 + 0.4 * (smooth() - 0.5)

    def garish(start, frame, steps, number):
        mean = start.mean((-2, -1), keepdim=True)
        colour = torch.tensor([1.3, 0.8, 1.1]).view(1, 3, 1, 1)
        return (mean + (start - mean) * colour + 0.05).clamp(0, 1)

    *_, last = zoom(picture, ColorMatchedStylizer(garish, picture), 60)
    *_, drifted = zoom(picture, garish, 60)
    assert (last.tensor.mean((-2, -1)) - picture.mean((-2, -1))).abs().max() < 1e-3
    assert (last.tensor[0].flatten(1).cov() - picture[0].flatten(1).cov()).abs().max() < 1e-3
    assert (drifted.tensor.mean() - picture.mean()).abs() > 0.2
    grey = picture.mean(1, keepdim=True).expand(1, 3, *SIZE).contiguous()
    *_, last = zoom(grey, ColorMatchedStylizer(still, grey), 5)
    assert torch.isfinite(last.tensor).all()
    assert (last.tensor.amax(1) - last.tensor.amin(1)).max() < 1e-3
