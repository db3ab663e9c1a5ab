"""Maps from files, .npy and .npz, judged before they are used: where they came from nobody knows."""

import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from cnnviz.errors import MethodError, printable
from cnnviz.io.recipe import Recipe, read_recipe
from cnnviz.models.preprocess import Geometry

MAX_BYTES = 1 << 29
LONG = 60  # letters of a method's name
BROKEN = (OSError, ValueError, TypeError, EOFError, KeyError, NotImplementedError, RuntimeError, SyntaxError,
          zipfile.BadZipFile, zlib.error, lzma.LZMAError)  # fmt: skip
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class MapFile:
    """What a file of maps holds.

    ``arrays`` "maps" (n, h, w) and, in files of ``--raw``, "photo_maps" (n, H, W), float32, NaN where nobody
    looked; ``targets`` the class of each, None where the file does not say; ``recipe`` of the command that wrote it;
    ``methods`` the name of what made each, where it says.
    """

    name: str
    arrays: Arrays
    targets: tuple[int, ...] | None = None
    recipe: Recipe | None = None
    methods: tuple[str, ...] | None = None

    def on_input(self, geometry: Geometry, *, same_view: bool = False) -> NDArray[np.float32]:
        """Return the maps (n, h, w) on the network's input, from there or from the photograph's own pixels.

        ``same_view``: the file's own network looked at the photograph as ours does, so that "maps" lies on our
        input; otherwise "photo_maps", where there is one, is carried over. Raises MethodError for other sizes.
        """
        carried = self.arrays.get("photo_maps") if not same_view else None
        values = self.arrays["maps"] if carried is None else carried
        size = values.shape[-2:]
        if size == geometry.size and carried is None:
            return values
        if size == geometry.photo:
            return geometry.to_input(values)
        (h, w), (height, width) = geometry.size, geometry.photo
        raise MethodError(
            f"{self.name}: a map of {size[1]}x{size[0]} pixels lies neither on the network's input ({w}x{h}) "
            f"nor on the photo ({width}x{height})"
        )


def read_maps(path: Path) -> MapFile:
    """Return the maps in a .npy or .npz file. Raises MethodError for whatever is not numbers (h, w) or (n, h, w)."""
    name = printable(str(path))
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise MethodError(f"{name}: is not a file")
        if path.suffix.lower() == ".npz":
            return _archive(path, name)
        with path.open("rb") as file:
            return MapFile(name, {"maps": _maps(_array(file, name), name)})
    except BROKEN as error:
        reason = getattr(error, "strerror", None)
        raise MethodError(
            f"{name}: {reason.lower() if reason else 'is no file of NumPy arrays, or cut short'}"
        ) from error


def read_arrays(path: Path, keys: Sequence[str]) -> Arrays:
    """Return those of the named arrays that a .npz file holds. Raises MethodError for what is not numbers."""
    name, found = printable(str(path)), {}
    try:
        with zipfile.ZipFile(path) as archive:
            for key in keys:
                if f"{key}.npy" in archive.namelist():
                    with archive.open(f"{key}.npy") as member:
                        found[key] = _array(member, name)
    except BROKEN as error:
        raise MethodError(f"{name}: is no file of NumPy arrays, or cut short") from error
    return found


def _archive(path: Path, name: str) -> MapFile:
    found = read_arrays(path, ("maps", "photo_maps", "targets"))
    targets = found.pop("targets", None)
    arrays = {key: _maps(values, name) for key, values in found.items()}
    if "maps" not in arrays:
        raise MethodError(f"{name}: holds no array named maps")
    if len({len(values) for values in arrays.values()}) > 1:
        raise MethodError(f"{name}: holds other numbers of maps and of photo_maps")
    if targets is None:
        return MapFile(name, arrays)
    count = len(arrays["maps"])
    if targets.dtype.kind not in "iu" or targets.shape != (count,) or (targets < 0).any():
        raise MethodError(f"{name}: its targets are not the indices of {count} classes")
    chosen, recipe = tuple(int(index) for index in targets), read_recipe(path)
    return MapFile(name, arrays, chosen, recipe, _names(path, name, count))


def _names(path: Path, name: str, count: int) -> tuple[str, ...] | None:
    """Return the names in the array "methods", one for each map; None where there is none."""
    with zipfile.ZipFile(path) as archive:
        if "methods.npy" not in archive.namelist():
            return None
        with archive.open("methods.npy") as member:
            names = _array(member, name, "U")
    if names.shape != (count,):
        raise MethodError(f"{name}: its methods are not the names of {count} maps")
    return tuple(str(one)[:LONG] for one in names)


def _array(file: IO[bytes], name: str, kinds: str = "fiub") -> NDArray[Any]:
    """Return an array of numbers, or of NumPy's other ``kinds``; its header is judged first: a bomb costs no memory."""
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.kind not in kinds:
        wanted = "names" if kinds == "U" else "numbers"
        raise MethodError(f"{name}: holds values of type {printable(str(dtype))}, not {wanted}")
    if dtype.itemsize * _product(shape) > MAX_BYTES:
        raise MethodError(f"{name}: is larger than {MAX_BYTES >> 20} MiB")
    file.seek(0)
    array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
    return array


def _product(shape: Sequence[int]) -> int:
    count = 1
    for side in shape:
        if side < 0:
            raise ValueError("a shape is not negative")
        count *= side
    return count


def _maps(values: NDArray[Any], name: str) -> NDArray[np.float32]:
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
