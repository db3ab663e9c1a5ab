"""The pointing game: whether a map's highest value lies on the object.

Zhang, Lin, Brandt, Shen & Sclaroff, "Top-down Neural Attention by Excitation Backprop", 2016 (arXiv:1608.00507),
section 5.1, and its energy-based form: Wang et al., "Score-CAM", 2020 (arXiv:1910.01279), section 4.3. They count hits
over a data set; this is the result for one image.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.preprocess import Geometry

LONG_SIDE = 500  # of the photos that the paper's tolerance of 15 pixels belongs to


@dataclass(frozen=True)
class PointingGame:
    """Where a map points.

    ``hit``: its ``peak``, the position y, x of the highest value, lies in the mask or within the tolerance of it;
    ``distance`` of the peak from the mask in pixels, 0 inside; ``energy`` the share of the map's positive sum inside
    the mask, 0 where nothing is positive; ``covered`` the share of the map in the mask, the energy of a uniform map.
    """

    hit: bool
    peak: tuple[int, int]
    distance: float
    energy: float
    covered: float


def pointing_game(values: Tensor, mask: Tensor, *, tolerance: int = 15) -> PointingGame:
    """Compare a map (h, w) with a mask (h, w) of booleans; pixels where the map is NaN are left out.

    ``tolerance`` in pixels, the largest distance that counts as a hit; the paper's 15 are pixels of images of 500.
    Raises InvalidRequest for shapes that differ, MethodError for a map of NaN and a mask outside the map.
    """
    if values.dim() != 2 or values.shape != mask.shape or tolerance < 0:
        raise InvalidRequest(f"a map {tuple(values.shape)} and a mask {tuple(mask.shape)}: both must be (h, w)")
    known = ~values.isnan()
    inside = mask & known
    if not inside.any():
        raise MethodError(
            "the mask holds nothing of what the network sees; --fit pad or squash shows it the whole photo"
        )
    top = peak(values)
    distance = float((inside.nonzero() - torch.tensor(top)).double().square().sum(1).min().sqrt())
    positive = torch.where(known, values.double().clamp(min=0), 0)
    total = float(positive.sum())
    energy = float(positive[inside].sum()) / total if total > 0 else 0.0
    return PointingGame(distance <= tolerance, top, distance, energy, int(inside.sum()) / int(known.sum()))


def pointing_game_on_photo(
    values: Tensor, mask: NDArray[np.bool_], geometry: Geometry, *, tolerance: int = 15
) -> PointingGame:
    """Play the pointing game on the photo scaled to a longer side of 500 pixels, whatever its own size.

    ``values`` (h, w) on the network's input; ``mask`` (H, W) on the photo. The result's ``peak`` is in pixels of the
    photo, its ``distance`` in pixels of the scaled one. Raises as ``pointing_game`` does.
    """
    height, width = (max(1, round(side * LONG_SIDE / max(geometry.photo))) for side in geometry.photo)
    scaled = replace(geometry, photo=(height, width)).to_photo(values.numpy())
    share = np.asarray(Image.fromarray(mask.astype(np.float32)).resize((width, height), Image.Resampling.BOX))
    inside = share >= min(0.5, share.max())  # a mask of less than a pixel must not vanish
    found = pointing_game(torch.from_numpy(scaled), torch.from_numpy(inside), tolerance=tolerance)
    y, x = ((p + 0.5) * side / small for p, side, small in zip(found.peak, geometry.photo, scaled.shape, strict=True))
    return replace(found, peak=(int(y), int(x)))


def peak_on_photo(values: Tensor, geometry: Geometry) -> tuple[tuple[int, int], bool]:
    """Return the position (y, x) of a map's (h, w) highest value on the photo, and whether the padding has a higher.

    Raises MethodError for a map without values on the photo.
    """
    inside = values.masked_fill(~torch.from_numpy(geometry.on_photo()), torch.nan)
    place = peak(inside)
    return place, bool((values > values[place]).any())


def peak(values: Tensor) -> tuple[int, int]:
    """Return the position (y, x) of a map's (h, w) highest value; of several, the one nearest to their centre.

    Maps of windows have flat tops, whose first pixel would be a corner. Raises MethodError for a map of NaN.
    """
    if values.isnan().all():
        raise MethodError("the map has no values but NaN")
    highest = (values == values[~values.isnan()].max()).nonzero()
    centre = highest.double().mean(0)
    y, x = highest[(highest - centre).square().sum(1).argmin()].tolist()
    return y, x
