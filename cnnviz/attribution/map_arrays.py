"""Attribution maps from .npy and .npz files, which are not trusted."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.errors import MethodError
from cnnviz.io.arrays import Arrays, array_errors, read_array, read_arrays
from cnnviz.io.recipe import Recipe, read_recipe
from cnnviz.models.preprocess import Geometry
from cnnviz.text import printable

MAX_NAME = 60  # characters of a method's name


@dataclass(frozen=True)
class MapFile:
    """The maps in a file.

    ``arrays``: "maps" (n, h, w) and, in files of ``--raw``, "photo_maps" (n, H, W), float32, NaN outside the network's
    crop; ``targets`` the class of each map and ``methods`` the name of its method, None if the file does not contain
    them; ``recipe`` of the command that wrote it.
    """

    name: str
    arrays: Arrays
    targets: tuple[int, ...] | None = None
    recipe: Recipe | None = None
    methods: tuple[str, ...] | None = None

    def on_input(self, geometry: Geometry, *, same_view: bool = False) -> NDArray[np.float32]:
        """Return the maps (n, h, w) on the network's input, from there or from the photo's own pixels.

        ``same_view``: the file's network had the same crop of the photo, so that "maps" lie on our input; otherwise
        "photo_maps", if there are any, are resampled. Raises MethodError for other sizes.
        """
        photo_maps = self.arrays.get("photo_maps") if not same_view else None
        values = self.arrays["maps"] if photo_maps is None else photo_maps
        size = values.shape[-2:]
        if size == geometry.size and photo_maps is None:
            return values
        if size == geometry.photo:
            return geometry.to_input(values)
        (h, w), (height, width) = geometry.size, geometry.photo
        raise MethodError(
            f"{self.name}: a map of {size[1]}x{size[0]} pixels lies neither on the network's input ({w}x{h}) "
            f"nor on the photo ({width}x{height})"
        )


def read_maps(path: Path) -> MapFile:
    """Return the maps in a .npy or .npz file. Raises MethodError for anything but numbers (h, w) or (n, h, w)."""
    name = printable(str(path))
    with array_errors(name):
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise MethodError(f"{name}: is not a file")
        if path.suffix.lower() == ".npz":
            return _read_archive(path, name)
        with path.open("rb") as file:
            return MapFile(name, {"maps": _to_maps(read_array(file, name), name)})


def _read_archive(path: Path, name: str) -> MapFile:
    arrays = read_arrays(path, ("maps", "photo_maps", "targets"))
    targets = arrays.pop("targets", None)
    arrays = {key: _to_maps(values, name) for key, values in arrays.items()}
    if "maps" not in arrays:
        raise MethodError(f"{name}: holds no array named maps")
    if len({len(values) for values in arrays.values()}) > 1:
        raise MethodError(f"{name}: holds different numbers of maps and of photo_maps")
    if targets is None:
        return MapFile(name, arrays)
    count = len(arrays["maps"])
    if targets.dtype.kind not in "iu" or targets.shape != (count,) or (targets < 0).any():
        raise MethodError(f"{name}: its targets are not the indices of {count} classes")
    return MapFile(name, arrays, tuple(map(int, targets)), read_recipe(path), _read_methods(path, name, count))


def _read_methods(path: Path, name: str, count: int) -> tuple[str, ...] | None:
    """Return the names in the array "methods", one for each map; None if there is no such array."""
    names = read_arrays(path, ("methods",), "U").get("methods")
    if names is None:
        return None
    if names.shape != (count,):
        raise MethodError(f"{name}: its methods are not the names of {count} maps")
    return tuple(str(method)[:MAX_NAME] for method in names)


def _to_maps(values: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Return maps (n, h, w) from (h, w) or (n, h, w)."""
    if values.ndim not in (2, 3) or not values.size:
        raise MethodError(f"{name}: an array of shape {values.shape} is no map (h, w) or (n, h, w)")
    with np.errstate(over="ignore"):
        maps = np.ascontiguousarray(values.reshape(-1, *values.shape[-2:]), np.float32)
    if np.isinf(maps).any():
        raise MethodError(f"{name}: holds infinite values")
    if np.isnan(maps).all(axis=(1, 2)).any():
        raise MethodError(f"{name}: holds a map without a single number")
    return maps
