"""The parts of a photo in which a class's map is above a level."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

CONNECTED = 8  # neighbours of a pixel


@dataclass(frozen=True)
class FoundPlace:
    """A connected part of a photo above a level, in the photo's pixels.

    ``x``, ``y`` and ``value`` of its highest value; ``box``: left, top, right, bottom around it.
    """

    x: int
    y: int
    value: float
    box: tuple[int, int, int, int]


def places_above(values: NDArray[np.float32], photo: tuple[int, int], level: float) -> tuple[FoundPlace, ...]:
    """Return the parts of a map (h, w) of a whole photo (H, W) whose values are at least ``level``, highest first."""
    above = (values >= level).astype(np.uint8)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(above, connectivity=CONNECTED)
    height, width = (own / side for own, side in zip(photo, values.shape, strict=True))
    found = []
    for number in range(1, count):
        inside = np.where(labels == number, values, -np.inf)
        y, x = np.unravel_index(int(inside.argmax()), inside.shape)
        left, top, across, down = (int(side) for side in boxes[number, :4])
        box = int(left * width), int(top * height), round((left + across) * width), round((top + down) * height)
        found.append(FoundPlace(int((x + 0.5) * width), int((y + 0.5) * height), float(values[y, x]), box))
    return tuple(sorted(found, key=lambda place: -place.value))
