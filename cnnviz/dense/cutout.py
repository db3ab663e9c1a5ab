"""The object of a class, cut out of a photo: an estimate from the class's heat map, completed by colour.

The heat map says which pixels are surely and which perhaps of the object; GrabCut (Rother, Kolmogorov & Blake 2004,
section 3) finds the border from the colours of both sides.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from cnnviz.control import Control
from cnnviz.dense.heat import bounded_side, heat
from cnnviz.dense.segment import ClassArea, Segmentation, segment
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.io.color import Photo
from cnnviz.models.network import Network
from cnnviz.models.segmenter import Segmenter

SCALES = 320, 448, 640, 896  # shorter sides of the photo for the heat map
OBJECT, LIKELY, BACKGROUND = 0.8, 0.34, 0.05  # shares of the map's maximum: surely, rather, surely not the object
SIDE = 640  # longer side of the copy whose pixels GrabCut assigns
ITERATIONS = 3


def cutout(network: Network, photo: Photo, *, target: int | None = None, control: Control = Control()) -> Segmentation:
    """Cut the object of a class out of a photo.

    Parameters
    ----------
    network : Network
        A classifier that ``heat`` can use.
    photo : ndarray of uint8, shape (H, W, 3)
        RGB.
    target : int, optional
        Class index; by default the top class of the whole photo.
    control : Control, default Control()
        Gets (done, scales).

    Returns
    -------
    Segmentation
        ``classes`` 1 on the object and 0 elsewhere, an ``estimate``.

    Raises
    ------
    InvalidRequest
        For a class that the network lacks.
    MethodError
        For a network that has no class at each place, and where the class is at no place.

    Notes
    -----
    Parts of the result that hold no pixel above 0.8 of the map's maximum are dropped.

    References
    ----------
    .. [1] Rother, Kolmogorov & Blake, "GrabCut: Interactive Foreground Extraction Using Iterated Graph Cuts", 2004.

    Examples
    --------
    >>> found = cnnviz.cutout(cnnviz.load_network(), cnnviz.read_photo("sample_images/coffee.jpg"))
    >>> found.areas[1].name
    'espresso'
    """
    height, width = photo.shape[:2]
    sizes = sorted({bounded_side(photo, size) for size in SCALES})
    found = heat(network, photo, targets=None if target is None else [target], sizes=sizes, fit_mode="squash",
                 control=control)  # fmt: skip
    name = network.class_name(found.targets[0])
    values = found.geometry.to_photo(found.maps.numpy())[0]
    if values.max() <= 0:
        raise MethodError(f"{network.name} finds {name} at no place")
    scale = min(1.0, SIDE / max(height, width))
    small = max(1, round(width * scale)), max(1, round(height * scale))
    image, shares = (cv2.resize(one, small, interpolation=cv2.INTER_AREA) for one in (photo, values / values.max()))
    mask = grab(np.asarray(image, np.uint8), np.asarray(shares, np.float32))
    foreground = np.asarray(cv2.resize(mask.astype(np.float32), (width, height)), np.float32)
    classes = (foreground >= 0.5).astype(np.uint8)
    share = float(classes.mean())
    areas = ClassArea(0, "background", 1 - share), ClassArea(1, name, share)
    return Segmentation(classes, foreground, (1,), tuple(sorted(areas, key=lambda one: -one.area)), photo, True,
                        network=network)  # fmt: skip


def find_classes(network: Network, photo: Photo, targets: Sequence[int] | None, control: Control) -> Segmentation:
    """Return the classes of a photo by a network for segmentation; by a classifier the cut-out of its one target."""
    if isinstance(network, Segmenter):
        return segment(network, photo, targets=targets)
    if targets and len(targets) > 1:
        raise InvalidRequest(f"{network.name} cuts out one --class")
    return cutout(network, photo, target=targets[0] if targets else None, control=control)


def grab(image: Photo, shares: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the object of an image (h, w, 3) from its heat map (h, w), shares of the maximum.

    Without a pixel of the background all likely pixels are the object: there are no colours to compare with.
    """
    sure = shares >= min(OBJECT, float(shares.max()))
    seeds = np.where(shares >= LIKELY, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    seeds = np.where(shares <= BACKGROUND, cv2.GC_BGD, np.where(sure, cv2.GC_FGD, seeds)).astype(np.uint8)
    if (seeds & 1).all():
        return np.ones(shares.shape, np.bool_)
    cv2.setRNGSeed(0)  # its colour models begin at random
    models = np.zeros((1, 65)), np.zeros((1, 65))
    labels, *_ = cv2.grabCut(image, seeds, None, *models, ITERATIONS, cv2.GC_INIT_WITH_MASK)
    _, parts = cv2.connectedComponents(labels & 1)
    return np.isin(parts, np.setdiff1d(parts[sure], [0]))
