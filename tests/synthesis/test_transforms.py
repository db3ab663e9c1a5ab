"""Random views: the jitter is that of a rolled image, the blur a Gaussian, views follow the seed."""

import pytest
import torch
from torch.nn import functional as F

from cnnviz.synthesis import ascent, transforms


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def jitter(most: int) -> ascent.View:
    """The view that rolls the image: what ``jitter_gradient`` computes without autograd."""

    def view(image, _share, generator):
        dy, dx = torch.randint(-most, most + 1, (2,), generator=generator).tolist()
        return image.roll((dy, dx), (2, 3))

    return view


@pytest.mark.parametrize("copied", [0, 1 << 20])
def test_jitter_in_place_or_not_is_the_view_and_leaves_the_image(copied, monkeypatch):
    monkeypatch.setattr(transforms, "MAX_COPIED", copied)
    picture = torch.rand(1, 3, 20, 24, generator=seeded())
    weights = torch.rand(20, 24, generator=seeded(1))

    def gradient(x):
        return (x * weights).sum((1, 2, 3)), weights.expand_as(x).clone()

    before = picture.clone()
    plain = [ascent.ascend(picture, gradient, lambda _p, s, _d: 0.01 * s, steps=3, generator=seeded(2),
                          view=jitter(4)).tensor]  # fmt: skip
    assert torch.equal(picture, before)
    rolled = transforms.jitter_gradient(gradient, 4, generator := seeded(2))
    rolled(picture)
    assert torch.equal(picture, before)
    generator.manual_seed(2)
    end = ascent.ascend(picture, rolled, lambda _p, s, _d: 0.01 * s, steps=3, generator=generator, inplace=True)
    assert end.tensor is picture
    assert torch.equal(end.tensor, plain[0])


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
