"""The zoom: its frames compose to one exact transform, its centre stays; weights fade over time."""

import numpy as np
import pytest
import torch

from cnnviz.synthesis.zoom import crossfade, resample, transform_about_centre, zoom

SIZE = (48, 64)


def still(start, frame, steps, number):
    return start


def places():
    """x (1, W) and y (H, 1) of every pixel."""
    return torch.arange(SIZE[1], dtype=torch.float64)[None], torch.arange(SIZE[0], dtype=torch.float64)[:, None]


def smooth():
    """A smooth picture, RGB (1, 3, H, W) in 0.1 to 0.9."""
    return colours(*places())[None].float()


def colours(x, y):
    return torch.stack([0.5 + 0.4 * torch.sin(x / 6 + k) * torch.cos(y / 7 - k) for k in range(3)])


def matrix(transform):
    return np.array([*transform, (0, 0, 1)])


@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_frames_are_the_one_transform_of_the_picture(angle):
    shots = list(zoom(smooth(), still, 31, per_frame=1.02, angle=angle))
    x, y = places()
    step = matrix(shots[1].transform)
    for number, shot in enumerate(shots):
        assert np.abs(matrix(shot.transform) - np.linalg.matrix_power(step, number)).max() < 1e-12
        (a, b, c), (d, e, f) = shot.transform
        exact = colours(a * x + b * y + c, d * x + e * y + f)
        assert np.hypot(a, b) == pytest.approx(1.02**-number, rel=1e-12)
        assert (shot.tensor[0] - exact)[:, 6:-6, 6:-6].abs().max() < 1 / 255
        assert a * 31.5 + b * 23.5 + c == pytest.approx(31.5, abs=1e-12)  # the centre stays
        assert d * 31.5 + e * 23.5 + f == pytest.approx(23.5, abs=1e-12)


def test_polynomials_of_degree_5_are_resampled_exactly():
    y, x = torch.meshgrid(*(torch.linspace(-1, 1, side, dtype=torch.float64) for side in SIZE), indexing="ij")

    def value(x, y):
        return 1 + x - 2 * y**5 + 3 * x**3 * y**2 - x**5 + 0.5 * x * y**4

    transform = transform_about_centre(*SIZE, 1.3, 11, 1)
    (a, b, c), (d, e, f) = transform
    columns, rows = places()
    exact = value((a * columns + b * rows + c) / 31.5 - 1, (d * columns + e * rows + f) / 23.5 - 1)
    found = resample(value(x, y)[None, None], transform)[0, 0]
    assert (found - exact)[8:-8, 8:-8].abs().max() < 1e-10


def test_the_picture_grows_and_turns_counter_clockwise():
    picture = torch.zeros(1, 3, 65, 65)
    picture[..., 32, 42] = 1  # ten to the right of the centre
    (_, turned) = zoom(picture, still, 2, per_frame=1.5, angle=90)
    place = turned.tensor[0, 0].argmax()
    assert (int(place) // 65, int(place) % 65) == (32 - 15, 32)  # fifteen above it


def test_it_goes_on_from_any_frame_to_the_same_bits():
    noise = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))

    def dream(start, frame, steps, number):
        return (start + 0.01 * steps * torch.sin(start * 7 + number)).clamp(0, 1)

    whole = list(zoom(noise, dream, 8))
    rest = list(zoom(whole[3].tensor, dream, 8, start=3))
    assert [shot.number for shot in rest] == [4, 5, 6, 7]
    for expected, shot in zip(whole[4:], rest, strict=True):
        assert torch.equal(expected.tensor, shot.tensor)
        assert expected.transform == shot.transform


def test_crossfade_weights_sum_to_one():
    assert list(crossfade(3, 0)) == [1, 0, 0]
    assert list(crossfade(3, 0.25)) == [0.5, 0.5, 0]
    assert list(crossfade(3, 0.5)) == [0, 1, 0]
    assert list(crossfade(3, 1)) == list(crossfade(3, 2)) == [0, 0, 1]
    assert list(crossfade(1, 0.3)) == [1]
    assert all(sum(crossfade(4, at / 50)) == pytest.approx(1) for at in range(51))
