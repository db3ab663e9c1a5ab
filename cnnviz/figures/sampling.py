"""Maps between their cells: interpolation, the cells of a map of windows, Gaussian. numpy alone, without matplotlib."""

import numpy as np
from numpy.typing import NDArray


def interpolate(
    values: NDArray[np.floating], rows: NDArray[np.floating], columns: NDArray[np.floating],
    ys: NDArray[np.floating], xs: NDArray[np.floating],
) -> NDArray[np.float32]:  # fmt: skip
    """Return values (len(rows), len(columns)) at positions ``ys`` and ``xs``, linear between neighbours.

    Equal to the value at a row and column, never beyond the values around it; constant outside.
    """
    wide = np.stack([np.interp(xs, columns, line) for line in values])
    low = (np.searchsorted(rows, ys, side="right") - 1).clip(0, max(len(rows) - 2, 0))
    high = (low + 1).clip(max=len(rows) - 1)
    span = np.maximum(np.asarray(rows)[high] - np.asarray(rows)[low], 1e-12)
    part = ((ys - np.asarray(rows)[low]) / span).clip(0, 1)[:, None]
    mixed: NDArray[np.float32] = (wide[low] * (1 - part) + wide[high] * part).astype(np.float32)
    return mixed


def nearest(
    values: NDArray[np.generic], ys: NDArray[np.floating], xs: NDArray[np.floating]
) -> NDArray[np.generic]:  # fmt: skip
    """Return values (h, w) at positions ``ys`` and ``xs``, those of the nearest pixel."""
    rows, columns = (
        np.rint(places).astype(int).clip(0, side - 1) for places, side in zip((ys, xs), values.shape, strict=True)
    )
    taken: NDArray[np.generic] = values[rows][:, columns]
    return taken


def cells(values: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centres (y and x, pixel centres at integers) of the cells in which a map (h, w) is constant.

    A map of windows has few, of one size but for those at the border; of any other map each pixel is a cell.
    """
    known = np.nan_to_num(values)
    changes = np.any(np.diff(known, axis=0) != 0, axis=1), np.any(np.diff(known, axis=1) != 0, axis=0)
    edges = [np.flatnonzero(np.concatenate([[True], change, [True]])) for change in changes]
    if not all(map(_is_regular, edges)):
        edges = [np.arange(side + 1) for side in values.shape]
    rows, columns = ((line[:-1] + line[1:] - 1) / 2 for line in edges)
    return rows, columns


def _is_regular(edges: NDArray[np.integer]) -> bool:
    """Return whether all cells have one size, and those at the border are not larger."""
    sizes = np.diff(edges)
    inner = sizes[1:-1] if len(sizes) > 2 else sizes
    return bool((inner == sizes.max()).all())


def gaussian(values: NDArray[np.floating], sigma: float) -> NDArray[np.float32]:
    """Return a map (h, w) blurred by a Gaussian of ``sigma`` pixels, mirrored at its borders: its sum stays."""
    reach = int(np.ceil(4 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    blurred = np.asarray(values, np.float64)
    for axis in (0, 1):
        pad = [(reach, reach) if axis == own else (0, 0) for own in (0, 1)]
        padded = np.pad(blurred, pad, mode="symmetric")
        length = values.shape[axis]
        blurred = sum(
            (w * padded.take(range(k, k + length), axis) for k, w in enumerate(weights)), np.zeros(values.shape)
        )
    return blurred.astype(np.float32)
