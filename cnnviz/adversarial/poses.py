"""A flat card before a camera: turned, tilted, nearer, further, lit, before a background; differentiable in the card.

Pictures are RGB in [0, 1]. Places are from -1 to 1 over a picture, from its left and upper edge to its right and lower.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cnnviz.synthesis.priors import color_correlation_root


@dataclass(frozen=True)
class Poses:
    """How far a card is moved and its light changed; everything is even between the ends.

    ``turn`` in the picture's plane and ``tilt`` out of it, about both axes, degrees either way; ``scale`` from and to,
    1 as in the photo; ``shift`` in shares of the frame's half, either way; ``distance`` of the camera in halves of the
    frame, which makes the perspective; ``contrast`` and ``brightness`` either way, ``noise`` the largest standard
    deviation, all in the range of black to white.
    """

    turn: float = 30.0
    tilt: float = 30.0
    scale: tuple[float, float] = (0.6, 1.1)
    shift: float = 0.1
    distance: float = 4.0
    contrast: float = 0.2
    brightness: float = 0.1
    noise: float = 0.05

    def draw(self, count: int, size: tuple[int, int], generator: torch.Generator) -> "RenderedPoses":
        """Return so many poses before a camera with a frame of ``size`` (h, w); the generator is on the CPU."""
        u = torch.rand(9, count, generator=generator)
        either = 2 * u - 1
        turn, nod, swing = (math.radians(most) * part for most, part in zip(
            (self.turn, self.tilt, self.tilt), either[:3], strict=True))  # fmt: skip
        scale = self.scale[0] + (self.scale[1] - self.scale[0]) * u[3]
        ways = render_poses(turn, nod, swing, scale, self.shift * either[4:6], self.distance)
        gain, lift, strength = (x.view(-1, 1, 1, 1) for x in (
            1 + self.contrast * either[6], self.brightness * either[7], self.noise * u[8]))  # fmt: skip
        grain = strength * torch.randn(count, 3, *size, generator=generator)
        return RenderedPoses(ways, gain, lift, grain, random_backgrounds(count, size, generator))


@dataclass(frozen=True)
class RenderedPoses:
    """Poses that were drawn: ``ways`` (N, 3, 3) from places in the frame to places on a card that filled it.

    ``gain`` and ``lift`` (N, 1, 1, 1) of the light, ``grain`` and ``background`` (N, 3, h, w).
    """

    ways: Tensor
    gain: Tensor
    lift: Tensor
    grain: Tensor
    background: Tensor

    def of(self, card: Tensor, frame: Tensor) -> Tensor:
        """Return what the camera sees of a card (1, 3, H, W) in each pose, (N, 3, h, w).

        ``frame`` (3, 3) leads from places in the frame, with the card as it is, to places on the card.
        """
        count, size = len(self.ways), self.background.shape[-2:]
        grid = texture_coordinates(frame @ self.ways, (size[0], size[1])).to(card)
        whole = torch.cat((card, torch.ones_like(card[:, :1])), 1).expand(count, -1, -1, -1)
        shown = F.grid_sample(whole, grid, align_corners=False)
        seen = shown[:, :3] + (1 - shown[:, 3:]) * self.background.to(card)
        lit = (seen - 0.5) * self.gain.to(card) + 0.5 + self.lift.to(card)
        return (lit + self.grain.to(card)).clamp(0, 1)


def render_poses(turn: Tensor, nod: Tensor, swing: Tensor, scale: Tensor, shift: Tensor, distance: float) -> Tensor:
    """Return the ways (N, 3, 3) from a frame to the card before it, for a pinhole camera.

    Radians (N,) of turning about the line of sight, of nodding about the horizontal and swinging about the vertical;
    ``shift`` (2, N) across and down.
    """
    zero, one = torch.zeros_like(turn), torch.ones_like(turn)

    def about(rows: list[list[Tensor]]) -> Tensor:
        return torch.stack([torch.stack(row, -1) for row in rows], -2)

    a, b, c = ((x.cos(), x.sin()) for x in (turn, nod, swing))
    flat = about([[a[0], -a[1], zero], [a[1], a[0], zero], [zero, zero, one]])
    over = about([[one, zero, zero], [zero, b[0], -b[1]], [zero, b[1], b[0]]])
    side = about([[c[0], zero, c[1]], [zero, one, zero], [-c[1], zero, c[0]]])
    placed = flat @ over @ side
    placed[..., 2] = torch.stack((zero, zero, distance * one), -1)  # the card's plane, and where its middle stands
    camera = about([
        [distance * scale, zero, shift[0]], [zero, distance * scale, shift[1]], [zero, zero, one],
    ])  # fmt: skip
    ways: Tensor = torch.linalg.inv(camera @ placed)
    return ways


def texture_coordinates(ways: Tensor, size: tuple[int, int]) -> Tensor:
    """Return where ways (N, 3, 3) lead each pixel's centre of a picture of ``size`` (h, w): (N, h, w, 2), x and y."""
    rows, columns = ((2 * torch.arange(side) + 1) / side - 1 for side in size)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    led = torch.stack((x, y, torch.ones_like(x)), -1).view(1, -1, 3) @ ways.transpose(1, 2)
    found: Tensor = led[..., :2] / led[..., 2:].clamp(min=1e-6)
    return found.view(len(ways), *size, 2)


def random_backgrounds(count: int, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Return smooth coloured noise (N, 3, h, w) with the spectrum and the colours of photographs.

    Amplitudes fall as frequency to the power of -1.5, a little faster than in photographs (Field 1987, "Relations
    between the statistics of natural images", where it is -1), so that nothing in them is taken for grain; brightness
    and contrast differ from one to the next.
    """
    down, across = torch.fft.fftfreq(size[0]) * size[0], torch.fft.rfftfreq(size[1]) * size[1]
    frequency = (down[:, None].square() + across.square()).sqrt()
    frequency[0, 0] = torch.inf
    shape = (2, count, 3, *frequency.shape)
    noise = torch.fft.irfft2(torch.complex(*torch.randn(shape, generator=generator)) / frequency**1.5, size)
    coloured = torch.einsum("ij,njhw->nihw", color_correlation_root(), noise)
    coloured = coloured / coloured.std((1, 2, 3), keepdim=True).clamp(min=1e-6)
    mean, contrast = torch.rand(2, count, 1, 1, 1, generator=generator)
    found: Tensor = (0.25 + 0.5 * mean + (0.05 + 0.2 * contrast) * coloured).clamp(0, 1)
    return found
