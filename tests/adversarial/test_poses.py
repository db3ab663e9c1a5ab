"""Cards before a camera: what is known of turns, sizes, tilts and light."""

import math

import pytest
import torch

from cnnviz.adversarial.poses import Poses, RenderedPoses, pose_homographies, random_backgrounds, texture_coordinates

STILL = {"turn": 0.0, "tilt": 0.0, "scale": (1.0, 1.0), "shift": 0.0, "contrast": 0.0, "brightness": 0.0, "noise": 0.0}
SIZE = (32, 32)


@pytest.fixture(scope="module")
def card() -> torch.Tensor:
    return torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(0))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def way(turn=0.0, nod=0.0, swing=0.0, scale=1.0, shift=(0.0, 0.0), distance=4.0) -> torch.Tensor:
    angles = (torch.tensor([math.radians(x)]) for x in (turn, nod, swing))
    return pose_homographies(*angles, torch.tensor([scale]), torch.tensor(shift).view(2, 1), distance)


def through(card: torch.Tensor, ways: torch.Tensor, background: float = 0.0) -> torch.Tensor:
    one, zero = torch.ones(len(ways), 1, 1, 1), torch.zeros(len(ways), 1, 1, 1)
    empty = torch.full((len(ways), 3, *SIZE), background)
    return RenderedPoses(ways, one, zero, 0 * empty, empty).render(card, torch.eye(3))


def test_a_card_that_nobody_moved_is_seen_as_it_is(card):
    seen = Poses(**STILL).draw(3, SIZE, generator())
    assert torch.allclose(seen.render(card, torch.eye(3)), card.expand(3, -1, -1, -1), atol=1e-4)


def test_a_frame_of_part_of_the_card_sees_that_part(card):
    seen = Poses(**STILL).draw(1, (16, 16), generator())
    corner = torch.tensor([[0.5, 0, -0.5], [0, 0.5, 0.5], [0, 0, 1]])
    assert torch.allclose(seen.render(card, corner), card[..., 16:, :16], atol=1e-4)


def test_a_quarter_of_a_turn_is_one(card):
    assert torch.allclose(through(card, way(turn=90)), card.rot90(-1, (2, 3)), atol=1e-4)


def test_a_smaller_card_leaves_the_background_around_it(card):
    seen = through(torch.ones_like(card), way(scale=0.5), background=0.25)
    assert torch.allclose(seen[..., 9:23, 9:23], torch.ones(14, 14))
    assert torch.allclose(seen[..., :7, :], torch.full((7, 32), 0.25))
    assert float((seen[0, 0] - 0.25).sum() / 0.75) == pytest.approx(16 * 16, rel=0.01)


def test_a_tilted_card_is_longer_where_it_is_nearer():
    onto_frame = torch.linalg.inv(way(nod=30, distance=4.0)[0])
    corners = torch.tensor([[-1, -1, 1], [1, -1, 1], [-1, 1, 1], [1, 1, 1.0]]) @ onto_frame.T
    x, y = (corners[:, :2] / corners[:, 2:]).T
    upper, lower = float(x[1] - x[0]), float(x[3] - x[2])
    half = 0.5  # sine of the angle: how far the edges come nearer and go away
    assert sorted((upper, lower)) == pytest.approx([2 * 4 / (4 + half), 2 * 4 / (4 - half)], rel=1e-4)
    assert float(y[2] - y[0]) == pytest.approx(4 * 0.75**0.5 * (1 / (4 + half) + 1 / (4 - half)), rel=1e-4)


def test_a_shift_moves_the_card_across_and_down(card):
    seen = through(card, way(shift=(0.5, -0.25)))  # of the frame's half: 8 pixels right, 4 up
    assert torch.allclose(seen[..., :28, 8:], card[..., 4:, :24], atol=1e-4)


def test_what_is_seen_leads_back_to_the_card(card):
    x = card.clone().requires_grad_()
    seen = through(x, way(turn=20, nod=10, scale=0.8))
    before = seen.detach()
    slope = torch.rand(seen.shape, generator=generator(3)) * ((before > 0.01) & (before < 0.99))
    (back,) = torch.autograd.grad(seen, x, slope)
    step = torch.rand(x.shape, generator=generator(4)) * 1e-3
    gained = ((through(card + step, way(turn=20, nod=10, scale=0.8)) - before) * slope).sum()
    assert float((back * step).sum()) == pytest.approx(float(gained), rel=1e-2)


def test_light_changes_about_the_middle_and_stays_in_range(card):
    bright = Poses(**STILL | {"contrast": 0.5, "brightness": 0.4}).draw(50, SIZE, generator())
    seen = bright.render(card, torch.eye(3))
    wanted = ((card - 0.5) * bright.gain + 0.5 + bright.lift).clamp(0, 1)
    assert torch.allclose(seen, wanted, atol=1e-4)
    assert 0.5 <= float(bright.gain.min()) < float(bright.gain.max()) <= 1.5
    assert float(bright.lift.abs().max()) <= 0.4


def test_the_same_seed_draws_the_same_poses():
    first, again, other = (Poses().draw(2, SIZE, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first.homographies, again.homographies)
    assert torch.equal(first.background, again.background)
    assert not torch.equal(first.homographies, other.homographies)


def test_backgrounds_are_smooth_and_differ():
    found = random_backgrounds(6, (64, 64), generator())
    assert 0 <= float(found.min()) < float(found.max()) <= 1
    rough = found.diff(dim=3).abs().mean() / found.std()
    noise = torch.rand(6, 3, 64, 64, generator=generator())
    assert rough < 0.25 * noise.diff(dim=3).abs().mean() / noise.std()
    assert len({round(float(picture.mean()), 3) for picture in found}) == 6


def test_places_of_nothing_moved_are_pixel_centres():
    grid = texture_coordinates(torch.eye(3)[None], (2, 4))
    assert torch.allclose(grid[0, 0, :, 0], torch.tensor([-0.75, -0.25, 0.25, 0.75]))
    assert torch.allclose(grid[0, :, 0, 1], torch.tensor([-0.5, 0.5]))
