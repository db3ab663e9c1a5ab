"""Textures for networks whose best patch is known."""

import pytest
import torch
from torch import nn

from cnnviz.adversarial.patch_texture import PRINTABLE, Scene, held_out_logits, held_out_poses, optimize_texture
from cnnviz.adversarial.poses import Poses
from cnnviz.control import Control
from cnnviz.errors import MethodError
from cnnviz.models.network import Network

LOW, HIGH = PRINTABLE
RED, GREEN, BLUE = range(3)


@pytest.fixture(scope="module")
def network() -> Network:
    """A network whose logits are the mean red, green and blue, ten times."""
    colours = nn.Conv2d(3, 3, 1, bias=False)
    colours.weight.data = 10 * torch.eye(3).view(3, 3, 1, 1)
    return Network.from_module(
        nn.Sequential(colours, nn.AdaptiveAvgPool2d(1), nn.Flatten()), (24, 24), (0.0,) * 3, (1.0,) * 3
    )


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A red photo with a place in its middle, a quarter of it."""
    photo = torch.tensor([0.6, 0.4, 0.4]).view(1, 3, 1, 1).expand(1, 3, 32, 32).contiguous()
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    onto = torch.tensor([[2.0, 0, 0], [0, 2, 0], [0, 0, 1]])
    return Scene(photo, mask, onto, torch.eye(3), (24, 24))


def test_it_finds_the_colour_that_is_best(network, scene):
    texture = optimize_texture(network, scene, (4, 4), GREEN, steps=100, tv_weight=0.0)
    best = torch.tensor([LOW, HIGH, LOW]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert torch.allclose(texture, best, atol=1e-4)


def test_it_is_judged_beside_the_bare_photo(network, scene):
    texture = optimize_texture(network, scene, (4, 4), GREEN, steps=60)
    cards = torch.cat((scene.with_texture(texture), scene.photo))
    poses = Poses(scale=(1.0, 1.0), shift=0.0, tilt=5.0, turn=5.0)
    firsts = held_out_logits(network, scene, cards, count=50, poses=poses).argmax(2)
    assert firsts.shape == (2, 50)
    assert (firsts[0] == GREEN).float().mean() > 0.9
    assert (firsts[1] == RED).float().mean() > 0.9


def test_cards_are_judged_in_the_same_poses(network, scene):
    logits = held_out_logits(network, scene, torch.cat((scene.photo, scene.photo)), count=25)
    assert torch.equal(logits[0], logits[1])
    assert len(logits[0].unique(dim=0)) == 25


@pytest.mark.parametrize("seed", [0, 1, 1 << 31])
def test_no_pose_is_held_out_that_a_sticker_was_made_in(network, scene, seed):
    drawn = torch.Generator().manual_seed(seed)
    known = torch.cat([Poses().draw(1, network.size, drawn).homographies for _ in range(600)]).flatten(1)
    for count in (1, 20):  # of the same generator the first would be the same
        held = torch.cat([seen.homographies for seen in held_out_poses(scene.size, count, seed)]).flatten(1)
        assert len(held) == count
        assert torch.cdist(held, known).min() > 1e-4


def test_only_the_region_is_painted(scene):
    texture = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    worn = scene.with_texture(texture)
    assert torch.allclose(worn[..., 8:24, 8:24], texture, atol=1e-5)
    outside = (scene.mask == 0).expand_as(worn)
    assert torch.equal(worn[outside], scene.photo[outside])


def test_the_same_seed_gives_the_same_sticker(network, scene):
    first, again, other = (optimize_texture(network, scene, (4, 4), BLUE, steps=2, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_variation_makes_it_smooth(scene):
    edges = nn.Conv2d(3, 2, (1, 2), bias=False)
    edges.weight.data = torch.tensor([0.0, 9.0]).view(2, 1, 1, 1) * torch.tensor([-1.0, 1.0]).expand(2, 3, 1, 2)
    body = nn.Sequential(edges, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = Network.from_module(body, (24, 24), (0.0,) * 3, (1.0,) * 3)
    rough, smooth = (
        optimize_texture(network, scene, (16, 16), 1, steps=20, tv_weight=weight).diff(dim=3).abs().mean()
        for weight in (0.0, 50.0)
    )
    assert smooth < rough / 2


def test_progress_is_told(network, scene):
    told = []
    optimize_texture(network, scene, (4, 4), GREEN, steps=3, control=Control(lambda *state: told.append(state)))
    assert [state[:2] for state in told] == [(1, 3), (2, 3), (3, 3)]
    looks = []
    held_out_logits(network, scene, scene.photo, count=30, control=Control(lambda *state: looks.append(state[:2])))
    assert looks == [(1, 2), (2, 2)]


def test_answers_that_are_no_numbers_are_refused(scene):
    class Broken(nn.Module):
        def forward(self, x):
            return x.mean((2, 3)) / 0

    network = Network.from_module(Broken(), (24, 24), (0.0,) * 3, (1.0,) * 3)
    with pytest.raises(MethodError, match="not finite"):
        optimize_texture(network, scene, (4, 4), GREEN, steps=1)
