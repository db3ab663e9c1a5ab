"""The zoom: its frames compose to one exact enlargement, its centre and its colours stay."""

import torch

from cnnviz.synthesis.zoom import Zoom, color_statistics, enlarge, match_colors

SIZE = (48, 64)


def still(start, frame, steps, number):
    return start


def places(scale=1.0):
    """x (1, W) and y (H, 1) that every pixel shows, enlarged about the centre by 1 / scale."""
    x, y = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2 for side in SIZE[::-1])
    return scale * x[None] + 31.5, scale * y[:, None] + 23.5


def colours(x, y):
    return torch.stack([0.5 + 0.4 * torch.sin(x / 6 + k) * torch.cos(y / 7 - k) for k in range(3)])


def smooth():
    """A smooth picture, RGB (1, 3, H, W) in 0.1 to 0.9."""
    return colours(*places())[None].float()


def test_frames_are_the_one_enlargement_of_the_picture():
    image = smooth()
    for number in range(1, 31):
        image = enlarge(image, 1.02)
        assert (image[0] - colours(*places(1.02**-number)))[:, 6:-6, 6:-6].abs().max() < 1 / 255


def test_polynomials_of_degree_5_are_resampled_exactly():
    def value(x, y):
        x, y = x / 31.5 - 1, y / 23.5 - 1
        return 1 + x - 2 * y**5 + 3 * x**3 * y**2 - x**5 + 0.5 * x * y**4

    found = enlarge(value(*places())[None, None], 1.3)[0, 0]
    assert (found - value(*places(1 / 1.3)))[8:-8, 8:-8].abs().max() < 1e-10


def test_the_picture_grows_about_its_centre():
    picture = torch.zeros(1, 3, 65, 65)
    picture[..., 32, 42] = 1  # ten to the right of the centre
    place = int(enlarge(picture, 1.5)[0, 0].argmax())
    assert (place // 65, place % 65) == (32, 32 + 15)


def test_each_frame_is_the_last_one_enlarged_and_stylized_with_a_fifth_of_the_steps():
    noise, asked = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0)), []

    def dream(start, frame, steps, number):
        asked.append((steps, number))
        assert torch.equal(start, enlarge(noise, 1.02).clamp(0, 1))
        assert torch.equal(start, frame)
        return 1 - start

    shown = Zoom(noise, dream, 10).next_frame(noise, 1)
    assert torch.equal(shown, match_colors(1 - enlarge(noise, 1.02).clamp(0, 1), *color_statistics(noise)))
    assert asked == [(2, 1)]


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

    last, drifted = picture, picture
    zoom = Zoom(picture, garish, 10)
    for number in range(1, 60):
        last = zoom.next_frame(last, number)
        drifted = garish(drifted, drifted, 2, number)
    assert (last.mean((-2, -1)) - picture.mean((-2, -1))).abs().max() < 1e-3
    assert (last[0].flatten(1).cov() - picture[0].flatten(1).cov()).abs().max() < 1e-3
    assert (drifted.mean() - picture.mean()).abs() > 0.2
    grey = picture.mean(1, keepdim=True).expand(1, 3, *SIZE).contiguous()
    last = grey
    for number in range(1, 5):
        last = Zoom(grey, still, 10).next_frame(last, number)
    assert torch.isfinite(last).all()
    assert (last.amax(1) - last.amin(1)).max() < 1e-3
