"""The pointing game: does a map's highest point lie on the thing?

Zhang, Lin, Brandt, Shen & Sclaroff, "Top-down Neural Attention by Excitation Backprop", 2016 (arXiv:1608.00507),
section 5.1, and its energy-based form: Wang et al., "Score-CAM", 2020 (arXiv:1910.01279), section 4.3. They count hits
over a data set; this is the answer for one picture.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.errors import InvalidRequest, MethodError


@dataclass(frozen=True)
class PointingGame:
    """Where a map points.

    ``hit`` whether its highest point lies in the mask or within the tolerance of it; ``peak`` that point, y and x in
    pixels; ``distance`` from it to the mask in pixels, 0 inside; ``energy`` the share of the map's positive sum
    inside the mask, 0 where nothing is positive; ``covered`` the share of the map that the mask covers: what
    energy is for a map without a preference.
    """

    hit: bool
    peak: tuple[int, int]
    distance: float
    energy: float
    covered: float


def pointing_game(values: Tensor, mask: Tensor, *, tolerance: int = 15) -> PointingGame:
    """Compare a map (h, w) with a mask (h, w) of booleans; NaN in the map is not looked at, and not counted.

    ``tolerance`` in pixels, as near as counts as a hit; the paper's 15 are pixels of photographs of 500.
    Raises UsageMistake for shapes that differ, MethodError for a map of NaN and a mask that misses all of the map.
    """
    if values.dim() != 2 or values.shape != mask.shape or tolerance < 0:
        raise InvalidRequest(f"a map {tuple(values.shape)} and a mask {tuple(mask.shape)}: both are (h, w)")
    seen = ~values.isnan()
    inside = mask & seen
    if not inside.any():
        raise MethodError(
            "the mask holds nothing of what the network sees; --fit pad or squash shows it the whole photo"
        )
    top = peak(values)
    distance = float((inside.nonzero() - torch.tensor(top)).double().square().sum(1).min().sqrt())
    positive = torch.where(seen, values.double().clamp(min=0), 0)
    whole = float(positive.sum())
    energy = float(positive[inside].sum()) / whole if whole > 0 else 0.0
    return PointingGame(distance <= tolerance, top, distance, energy, int(inside.sum()) / int(seen.sum()))


def peak(values: Tensor) -> tuple[int, int]:
    """Return the place (y, x) of a map's (h, w) highest value; of several, the one nearest to their middle.

    Maps by windows have flat tops, whose first pixel would be a corner. Raises MethodError for a map of NaN.
    """
    if values.isnan().all():
        raise MethodError("the map holds no number")
    places = (values == values[~values.isnan()].max()).nonzero()
    middle = places.double().mean(0)
    y, x = places[(places - middle).square().sum(1).argmin()].tolist()
    return y, x
