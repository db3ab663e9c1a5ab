"""Colours in CIE L*a*b* and in sRGB: lightness, colours of a lightness and a chroma, and the chroma that sRGB can show.

IEC 61966-2-1 (sRGB) with its own white, so that greys have a = b = 0; CIE 15, section 8.2.1 (L*a*b*).
"""

import torch
from torch import Tensor

# Rows: X, Y, Z of linear R, G, B.
TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
EDGE = 6 / 29  # of the cube root, below which the function is linear
TOLERANCE = 1e-4  # of linear values beyond 0 and 1 that count as within them: a third of a level of 8 bits
HALVINGS = 14  # of the interval in which the largest chroma is sought


def to_linear(rgb: Tensor) -> Tensor:
    """Return linear values of sRGB values, both 0 to 1."""
    return torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def from_linear(values: Tensor) -> Tensor:
    """Return sRGB values of linear values, both 0 to 1."""
    values = values.clamp(0, 1)
    return torch.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)


def lightness(rgb: Tensor) -> Tensor:
    """Return L*, 0 to 100, of sRGB values (..., 3, h, w) in [0, 1]: (..., 1, h, w)."""
    weights = rgb.new_tensor(TO_XYZ[1]) / sum(TO_XYZ[1])
    luminance = (to_linear(rgb) * weights[:, None, None]).sum(-3, keepdim=True)
    root = torch.where(luminance > EDGE**3, luminance.clamp(min=EDGE**3) ** (1 / 3), luminance / (3 * EDGE**2) + 4 / 29)
    return 116 * root - 16


def linear_colours(light: Tensor, ab: Tensor) -> Tensor:
    """Return linear RGB (3, n) of L* (1, n) and a*, b* (2, n); colours that sRGB cannot show lie beyond 0 or 1."""
    matrix = ab.new_tensor(TO_XYZ)
    middle = (light[0] + 16) / 116
    roots = torch.stack([middle + ab[0] / 500, middle, middle - ab[1] / 200])
    relative = torch.where(roots > EDGE, roots**3, 3 * EDGE**2 * (roots - 4 / 29))
    linear: Tensor = torch.linalg.inv(matrix) @ (relative * matrix.sum(1, keepdim=True))
    return linear


def shown_colours(light: Tensor, ab: Tensor) -> tuple[Tensor, Tensor]:
    """Return sRGB (3, n), 0 to 1, of L* (1, n) and a*, b* (2, n), and the share of the chroma (n,) that was kept.

    Where sRGB has no such colour, a* and b* are scaled down together, and the lightness stays as it is.
    """
    linear, kept = linear_colours(light, ab), torch.ones_like(light[0])
    beyond = ~_shown(linear)
    if beyond.any():
        some, colours = light[:, beyond], ab[:, beyond]
        low, high = torch.zeros_like(some[0]), torch.ones_like(some[0])
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            fits = _shown(linear_colours(some, colours * middle))
            low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
        kept[beyond], linear[:, beyond] = low, linear_colours(some, colours * low)
    return from_linear(linear), kept


def _shown(linear: Tensor) -> Tensor:
    return ((linear >= -TOLERANCE) & (linear <= 1 + TOLERANCE)).all(0)
