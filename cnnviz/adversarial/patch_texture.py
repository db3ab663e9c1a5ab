"""Optimisation of a patch's texture over random poses, and its success in held-out ones.

Athalye et al. 2018, "Synthesizing Robust Adversarial Examples", section 2: the expectation over transformations, here
a pose drawn anew for each step. The region is that of Eykholt et al. 2018, "Robust Physical-World Attacks on Deep
Learning Visual Classification", section 3; in Brown et al. 2017, "Adversarial Patch", section 2, it is anywhere.
Departures: values are kept printable by clipping and not by a loss of their own; the optimiser is Adam with a cosine
schedule; the loss is the cross entropy over poses and total variation.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cnnviz.adversarial.poses import Poses, RenderedPoses, texture_coordinates
from cnnviz.adversarial.target import search_logits
from cnnviz.control import Control
from cnnviz.models.network import Network, require_finite
from cnnviz.synthesis.priors import total_variation

PRINTABLE = (0.06, 0.94)  # the range of ink on paper, from black to white
POSES = 1  # a step: for the same passes, more steps gain more than more poses
FIRST, LAST = 0.12, 0.01  # learning rates
BATCH = 20  # held-out poses evaluated at a time
HELD_OUT = 0x9E3779B9  # added to the seed for held-out poses; torch uses the lower 32 bits of a seed


@dataclass(frozen=True)
class Scene:
    """A photo with a region for a patch, as tensors.

    ``photo`` (1, 3, H, W), RGB in [0, 1]; ``mask`` (1, 1, H, W), the share of each pixel that the patch covers;
    ``onto`` (3, 3), homography from the photo to the patch, ``frame`` (3, 3), from the network's input to the photo,
    in coordinates from -1 to 1. ``size`` (h, w) of that input, in pixels.
    """

    photo: Tensor
    mask: Tensor
    onto: Tensor
    frame: Tensor
    size: tuple[int, int]

    def with_texture(self, texture: Tensor) -> Tensor:
        """Return the photo (1, 3, H, W) with a texture (1, 3, h, w) in the region; differentiable in the texture."""
        height, width = self.photo.shape[-2:]
        grid = texture_coordinates(self.onto[None], (height, width)).to(texture)
        painted = F.grid_sample(texture, grid, padding_mode="border", align_corners=False)
        return torch.lerp(self.photo.to(texture), painted, self.mask.to(texture))


def optimize_texture(
    network: Network,
    scene: Scene,
    size: tuple[int, int],
    goal: int,
    *,
    steps: int = 600,
    seed: int = 0,
    tv_weight: float = 3.0,
    control: Control = Control(),
) -> Tensor:
    """Return the texture (1, 3, h, w), RGB in [0, 1], of ``size`` (h, w) with which a scene is classified as ``goal``.

    One forward and one backward pass a step, over poses drawn from ``seed``. Raises MethodError where the network's
    logits are not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    texture = torch.full((1, 3, *size), 0.5).requires_grad_()
    optimizer = torch.optim.Adam([texture], FIRST, betas=(0.9, 0.99))
    goals = torch.full((POSES,), goal)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = LAST + (FIRST - LAST) * (1 + math.cos(math.pi * step / steps)) / 2
        views = Poses().draw(POSES, scene.size, generator).render(scene.with_texture(texture), scene.frame)
        loss = F.cross_entropy(search_logits(network, views), goals) + tv_weight * total_variation(texture).sum()
        require_finite("the network", loss)
        (texture.grad,) = torch.autograd.grad(loss, texture)
        optimizer.step()
        with torch.no_grad():
            texture.clamp_(*PRINTABLE)
        control.report(step + 1, steps, f"loss {loss.item():.3g}")
    return texture.detach()


def held_out_logits(
    network: Network,
    scene: Scene,
    cards: Tensor,
    *,
    count: int = 200,
    seed: int = 0,
    poses: Poses = Poses(),
    control: Control = Control(),
) -> Tensor:
    """Return the network's logits (C, count, classes) for each of ``cards`` (C, 3, H, W) in the same held-out poses.

    A card is the scene's photo, with a patch or without.
    """
    rows: list[list[Tensor]] = [[] for _ in cards]
    for number, drawn in enumerate(held_out_poses(scene.size, count, seed, poses)):
        for index, card in enumerate(cards):
            with torch.inference_mode():
                rows[index].append(network(drawn.render(card[None], scene.frame)).float().cpu())
            control.report(number * len(cards) + index + 1, math.ceil(count / BATCH) * len(cards))
    return torch.stack([torch.cat(logits) for logits in rows])


def held_out_poses(size: tuple[int, int], count: int, seed: int = 0, poses: Poses = Poses()) -> Iterator[RenderedPoses]:
    """Yield ``count`` poses for a frame of ``size``, BATCH at a time, that no patch of this seed is optimised in."""
    generator = torch.Generator().manual_seed(seed + HELD_OUT)
    for first in range(0, count, BATCH):
        yield poses.draw(min(BATCH, count - first), size, generator)
