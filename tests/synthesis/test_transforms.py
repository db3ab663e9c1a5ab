"""Random views: the blur is a Gaussian, views follow the seed."""

import pytest
import torch
from torch.nn import functional as F

from cnnviz.synthesis import transforms


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("deviation", [0.3, 1.0, 6.0])
def test_a_blur_is_a_gaussian_over_the_mirrored_picture(deviation):
    picture = torch.rand(2, 3, 23, 40, generator=seeded(), dtype=torch.float64)
    seen = transforms.gaussian_blur(picture, deviation)
    reach = min(-int(-3 * deviation // 1), 22)
    y, x = (torch.arange(-reach, reach + 1, dtype=torch.float64),) * 2
    kernel = torch.exp(-(y[:, None] ** 2 + x**2) / (2 * deviation**2))
    wide = F.pad(picture, (reach,) * 4, mode="reflect")
    wanted = F.conv2d(wide, (kernel / kernel.sum()).expand(3, 1, -1, -1), groups=3)
    assert torch.allclose(seen, wanted, atol=1e-6)


def test_a_view_without_changes_is_the_image():
    image = torch.rand(2, 3, 24, 24, generator=seeded())
    view = transforms.RandomTransform(((12, 12), (24, 24)), zoom=(1, 1), angle=0, noise=0)
    assert view(image, 0.2, seeded()).shape == (2, 3, 12, 12)
    assert torch.allclose(view(image, 0.9, seeded()), image, atol=1e-5)
    mirrored = transforms.RandomTransform(((24, 24),), zoom=(1, 1), angle=0, noise=0, flip=True)
    shown = mirrored(image, 0, seeded())
    assert all(min((a - b).abs().max(), (a - b.flip(-1)).abs().max()) < 1e-5 for a, b in zip(shown, image, strict=True))
