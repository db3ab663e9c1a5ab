"""Random camera poses of a flat card: rotation, tilt, distance, light, background; differentiable in the card.

Images are RGB in [0, 1]. Coordinates are from -1 to 1 over an image, from its left and upper edge to its right and
lower.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cnnviz.synthesis.priors import color_correlation_root


@dataclass(frozen=True)
class Poses:
    """The ranges of poses and light, all uniform.

    ``turn`` in the image plane and ``tilt`` out of it, about both axes, degrees either way; ``scale`` from and to,
    1 as in the photo; ``shift`` in shares of half the frame, either way; ``distance`` of the camera in halves of the
    frame, which sets the perspective; ``contrast`` and ``brightness`` either way, ``noise`` the largest standard
    deviation, all of the range from black to white.
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
        """Return ``count`` random poses for a frame of ``size`` (h, w); the generator is on the CPU."""
        u = torch.rand(9, count, generator=generator)
        either = 2 * u - 1
        turn, nod, swing = (math.radians(limit) * part for limit, part in zip(
            (self.turn, self.tilt, self.tilt), either[:3], strict=True))  # fmt: skip
        scale = self.scale[0] + (self.scale[1] - self.scale[0]) * u[3]
        homographies = pose_homographies(turn, nod, swing, scale, self.shift * either[4:6], self.distance)
        gain, lift, strength = (x.view(-1, 1, 1, 1) for x in (
            1 + self.contrast * either[6], self.brightness * either[7], self.noise * u[8]))  # fmt: skip
        grain = strength * torch.randn(count, 3, *size, generator=generator)
        return RenderedPoses(homographies, gain, lift, grain, random_backgrounds(count, size, generator))


@dataclass(frozen=True)
class RenderedPoses:
    """Poses that were drawn: ``homographies`` (N, 3, 3) from the frame to a card that fills it when unmoved.

    ``gain`` and ``lift`` (N, 1, 1, 1) of the light, ``grain`` and ``background`` (N, 3, h, w).
    """

    homographies: Tensor
    gain: Tensor
    lift: Tensor
    grain: Tensor
    background: Tensor

    def render(self, card: Tensor, frame: Tensor) -> Tensor:
        """Return the camera images (N, 3, h, w) of a card (1, 3, H, W), one for each pose.

        ``frame`` (3, 3) is the homography from the frame to the unmoved card.
        """
        count, size = len(self.homographies), self.background.shape[-2:]
        grid = texture_coordinates(frame @ self.homographies, (size[0], size[1])).to(card)
        opaque = torch.cat((card, torch.ones_like(card[:, :1])), 1).expand(count, -1, -1, -1)
        warped = F.grid_sample(opaque, grid, align_corners=False)
        image = warped[:, :3] + (1 - warped[:, 3:]) * self.background.to(card)
        lit = (image - 0.5) * self.gain.to(card) + 0.5 + self.lift.to(card)
        return (lit + self.grain.to(card)).clamp(0, 1)


def pose_homographies(
    turn: Tensor, nod: Tensor, swing: Tensor, scale: Tensor, shift: Tensor, distance: float
) -> Tensor:
    """Return the homographies (N, 3, 3) from a pinhole camera's frame to the card before it.

    Radians (N,) of ``turn`` about the optical axis, ``nod`` about the horizontal and ``swing`` about the vertical one;
    ``shift`` (2, N) in x and y.
    """
    zero, one = torch.zeros_like(turn), torch.ones_like(turn)

    def about(rows: list[list[Tensor]]) -> Tensor:
        return torch.stack([torch.stack(row, -1) for row in rows], -2)

    a, b, c = ((x.cos(), x.sin()) for x in (turn, nod, swing))
    flat = about([[a[0], -a[1], zero], [a[1], a[0], zero], [zero, zero, one]])
    over = about([[one, zero, zero], [zero, b[0], -b[1]], [zero, b[1], b[0]]])
    side = about([[c[0], zero, c[1]], [zero, one, zero], [-c[1], zero, c[0]]])
    placed = flat @ over @ side
    placed[..., 2] = torch.stack((zero, zero, distance * one), -1)  # the card's plane, and its centre
    camera = about([
        [distance * scale, zero, shift[0]], [zero, distance * scale, shift[1]], [zero, zero, one],
    ])  # fmt: skip
    homographies: Tensor = torch.linalg.inv(camera @ placed)
    return homographies


def texture_coordinates(homographies: Tensor, size: tuple[int, int]) -> Tensor:
    """Return where homographies (N, 3, 3) map the pixel centres of an image of ``size`` (h, w): (N, h, w, 2), x, y."""
    rows, columns = ((2 * torch.arange(side) + 1) / side - 1 for side in size)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    mapped = torch.stack((x, y, torch.ones_like(x)), -1).view(1, -1, 3) @ homographies.transpose(1, 2)
    coordinates: Tensor = mapped[..., :2] / mapped[..., 2:].clamp(min=1e-6)
    return coordinates.view(len(homographies), *size, 2)


def random_backgrounds(count: int, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Return smooth coloured noise (N, 3, h, w) with the spectrum and the colours of photographs.

    Amplitudes fall as frequency to the power of -1.5, a little faster than in photographs (Field 1987, "Relations
    between the statistics of natural images", where it is -1), so that they have no grain of their own; brightness and
    contrast differ from one to the next.
    """
    fy, fx = torch.fft.fftfreq(size[0]) * size[0], torch.fft.rfftfreq(size[1]) * size[1]
    frequency = (fy[:, None].square() + fx.square()).sqrt()
    frequency[0, 0] = torch.inf
    shape = (2, count, 3, *frequency.shape)
    noise = torch.fft.irfft2(torch.complex(*torch.randn(shape, generator=generator)) / frequency**1.5, size)
    coloured = torch.einsum("ij,njhw->nihw", color_correlation_root(), noise)
    coloured = coloured / coloured.std((1, 2, 3), keepdim=True).clamp(min=1e-6)
    mean, contrast = torch.rand(2, count, 1, 1, 1, generator=generator)
    backgrounds: Tensor = (0.25 + 0.5 * mean + (0.05 + 0.2 * contrast) * coloured).clamp(0, 1)
    return backgrounds
