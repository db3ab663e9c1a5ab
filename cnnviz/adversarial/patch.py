"""A sticker whose picture makes a network see another class from many sides.

Athalye et al. 2018, "Synthesizing Robust Adversarial Examples", section 2: the expectation over transformations, here
a pose drawn anew for each step. The region is that of Eykholt et al. 2018, "Robust Physical-World Attacks on Deep
Learning Visual Classification", section 3; in Brown et al. 2017, "Adversarial Patch", section 2, it is anywhere.
Departures: values are kept to what a printer can print by cutting and not by a loss of their own; the optimiser is
Adam, its steps fading; the loss is the cross entropy over poses and total variation.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cnnviz.adversarial.poses import Poses, RenderedPoses, texture_coordinates
from cnnviz.errors import MethodError
from cnnviz.models.features import LOGITS, FeatureExtractor
from cnnviz.models.network import Network
from cnnviz.synthesis.priors import total_variation

PRINTABLE = (0.06, 0.94)  # what ink on paper reaches, from black to white
POSES = 1  # a step: for the same passes more steps gain more than better ones
FIRST, LAST = 0.12, 0.01  # step lengths
TOGETHER = 20  # poses that are judged at a time
HELD_OUT = 0x9E3779B9  # added to the seed for poses to judge in; of a seed torch takes the lower 32 bits


@dataclass(frozen=True)
class Scene:
    """A photo with a place for a sticker.

    ``photo`` (1, 3, H, W), RGB in [0, 1]; ``mask`` (1, 1, H, W), the share of each pixel that the sticker covers;
    ``onto`` (3, 3) from places on the photo to places on the sticker, ``frame`` (3, 3) from places in the network's
    input to places on the photo: all from -1 to 1. ``size`` (h, w) of that input, in pixels.
    """

    photo: Tensor
    mask: Tensor
    onto: Tensor
    frame: Tensor
    size: tuple[int, int]

    def wearing(self, texture: Tensor) -> Tensor:
        """Return the photo (1, 3, H, W) with a texture (1, 3, h, w) painted into the region; differentiable in it."""
        height, width = self.photo.shape[-2:]
        grid = texture_coordinates(self.onto[None], (height, width)).to(texture)
        painted = F.grid_sample(texture, grid, padding_mode="border", align_corners=False)
        return torch.lerp(self.photo.to(texture), painted, self.mask.to(texture))


@dataclass(frozen=True)
class PatchResult:
    """What was found: the ``texture`` (1, 3, h, w), RGB in [0, 1], and how many ``passes`` it took, one for a pose."""

    texture: Tensor
    passes: int


def patch(
    network: Network,
    scene: Scene,
    size: tuple[int, int],
    goal: int,
    *,
    steps: int = 600,
    seed: int = 0,
    poses: Poses = Poses(),  # noqa: B008 - frozen
    tv_weight: float = 3.0,
    progress: Callable[[int, int, float], None] = lambda _step, _of, _loss: None,
) -> PatchResult:
    """Return the sticker of ``size`` (h, w) texels for a scene that ``network`` takes for class ``goal`` most often.

    Each step goes down the mean loss over POSES poses drawn from ``seed``. ``progress`` is told the step from 1, of
    how many, and the loss. Raises MethodError where the network's answers are not finite.
    """
    trunk, generator = FeatureExtractor(network, [LOGITS]), torch.Generator().manual_seed(seed)
    texture = torch.full((1, 3, *size), 0.5).requires_grad_()
    rule = torch.optim.Adam([texture], FIRST, betas=(0.9, 0.99))
    goals = torch.full((POSES,), goal)
    for step in range(steps):
        rule.param_groups[0]["lr"] = LAST + (FIRST - LAST) * (1 + math.cos(math.pi * step / steps)) / 2
        seen = poses.draw(POSES, scene.size, generator).of(scene.wearing(texture), scene.frame)
        logits = trunk(seen)[LOGITS].float().cpu()
        loss = F.cross_entropy(logits, goals) + tv_weight * total_variation(texture).sum()
        if not torch.isfinite(loss):
            raise MethodError("the network gave logits that are not finite numbers: are these its weights?")
        (texture.grad,) = torch.autograd.grad(loss, texture)
        rule.step()
        with torch.no_grad():
            texture.clamp_(*PRINTABLE)
        progress(step + 1, steps, loss.item())
    return PatchResult(texture.detach(), steps * POSES)


def success_rates(
    network: Network,
    scene: Scene,
    cards: Tensor,
    *,
    count: int = 200,
    seed: int = 0,
    poses: Poses = Poses(),  # noqa: B008 - frozen
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Tensor:
    """Return the network's logits (C, count, classes) for each of ``cards`` (C, 3, H, W) in the same held-out poses.

    A card is the scene's photo, with a sticker or without. ``progress`` is told how many looks were taken, of how many.
    """
    found: list[list[Tensor]] = [[] for _ in cards]
    for number, seen in enumerate(held_out_poses(scene.size, count, seed, poses)):
        for index, card in enumerate(cards):
            with torch.inference_mode():
                found[index].append(network(seen.of(card[None], scene.frame)).float().cpu())
            progress(number * len(cards) + index + 1, math.ceil(count / TOGETHER) * len(cards))
    return torch.stack([torch.cat(logits) for logits in found])


def held_out_poses(
    size: tuple[int, int],
    count: int,
    seed: int = 0,
    poses: Poses = Poses(),  # noqa: B008 - frozen
) -> Iterator[RenderedPoses]:
    """Yield ``count`` poses before a frame of ``size``, TOGETHER at a time, that no sticker of this seed is made in."""
    generator = torch.Generator().manual_seed(seed + HELD_OUT)
    for first in range(0, count, TOGETHER):
        yield poses.draw(min(TOGETHER, count - first), size, generator)
