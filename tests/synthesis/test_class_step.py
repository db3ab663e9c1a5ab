"""The step of a class image: axes of colours, strengths of brightness and colours, and colours that end at edges."""

import pytest
import torch
from torch.nn import functional as F

from cnnviz.synthesis import class_step, priors


def noise(*size: int) -> torch.Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(0))


def test_along_the_axes_colours_of_photos_vary_independently():
    axes, root = class_step.color_axes().double(), torch.tensor(priors.COLOR_ROOT, dtype=torch.float64)
    assert torch.allclose(axes @ axes.T, torch.eye(3, dtype=torch.float64), atol=1e-6)
    covariance = axes @ root @ root.T @ axes.T
    deviations = covariance.diagonal().sqrt()
    assert torch.allclose(covariance, torch.diag(covariance.diagonal()), atol=1e-7)
    assert torch.allclose(class_step.color_deviations().double(), deviations / deviations[0], atol=1e-5)
    assert (axes[0] > 0).all()
    assert deviations.tolist() == sorted(deviations.tolist(), reverse=True)


def test_values_come_back_from_the_axes():
    values = noise(2, 3, 5, 6)
    along = class_step.to_axes(values)
    assert torch.allclose(class_step.to_rgb(along), values, atol=1e-6)


@pytest.mark.parametrize("preconditioner", ["laplacian", "fourier", "pixels"])
@pytest.mark.parametrize("size", [(64, 64), (37, 50)])
def test_a_step_has_one_strength_and_colours_have_their_share(preconditioner, size):
    step = class_step.class_step(noise(1, 3, *size), preconditioner, 0.85)
    step = step / class_step.border_weights(*size)
    assert float(priors.rms(step)) == pytest.approx(1, abs=1e-4)
    along = class_step.to_axes(step)
    share = priors.rms(along[:, 1:]) / priors.rms(along[:, :1])
    assert float(share) == pytest.approx(class_step.CHROMA, abs=1e-4)
    assert float(priors.rms(along[:, 2:])) < float(priors.rms(along[:, 1:2]))


def test_colours_have_no_fine_grain_and_brightness_has():
    step = class_step.class_step(noise(1, 3, 64, 64), "laplacian", 0.85)
    along = class_step.to_axes(step)
    light, chroma = (
        float(priors.rms(priors.bands(part, 1)[0]) / priors.rms(part)) for part in (along[:, :1], along[:, 1:])
    )
    assert chroma < 0.3 * light


def test_steps_fall_and_cool():
    lengths = [class_step.step_length(0.5, share, 0.2) for share in (0, 0.5, 0.94, 1)]
    assert lengths == pytest.approx([0.5, 0.5 * 0.6, 0.5 * (1 - 0.8 * 0.94) * 0.5, 0.5 * 0.2 * 0.1])


def test_the_border_changes_less_than_the_centre():
    weights = class_step.border_weights(101, 51)
    assert weights[50, 25] == pytest.approx(1, abs=1e-3)
    assert weights[0, 0] == pytest.approx(1 - class_step.CENTRE, abs=0.06)
    assert torch.allclose(weights, weights.flip(0).flip(1))


def test_the_guided_filter_is_the_guide_where_that_varies_and_the_mean_where_not():
    guide = noise(1, 1, 30, 40)
    assert torch.allclose(class_step.guided_filter(3 * guide + 1, guide, 4, 1e-6), 3 * guide + 1, atol=1e-3)
    values, flat = noise(1, 2, 30, 40), torch.ones(1, 1, 30, 40)
    mean = values
    for _ in range(2):
        mean = F.avg_pool2d(F.pad(mean, (4,) * 4, mode="reflect"), 9, 1)
    assert torch.allclose(class_step.guided_filter(values, flat, 4), mean, atol=1e-4)


def test_colours_of_a_grey_image_stay_grey_and_brightness_stays():
    image = torch.rand(1, 3, 20, 30, generator=torch.Generator().manual_seed(1))
    along, after = (class_step.to_axes(one) for one in (
        image, class_step.bound_colors(image)))  # fmt: skip
    assert torch.allclose(along[:, 0], after[:, 0], atol=1e-5)
    assert priors.rms(priors.bands(after[:, 1:], 1)[0]) < 0.5 * priors.rms(priors.bands(along[:, 1:], 1)[0])
