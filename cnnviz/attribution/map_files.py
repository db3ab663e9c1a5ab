"""The maps and object masks of an evaluation: cnnviz's own, or from files, which are not trusted."""

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.attribution.catalog import MAX_MAPS, METHODS
from cnnviz.attribution.occlusion import occlusion
from cnnviz.control import Control
from cnnviz.errors import MethodError
from cnnviz.io.arrays import Arrays, array_errors, read_array, read_arrays
from cnnviz.io.color import Photo
from cnnviz.io.photo import read_mask
from cnnviz.io.recipe import Recipe, read_recipe
from cnnviz.models.network import Network
from cnnviz.models.preprocess import Geometry
from cnnviz.text import printable

MAX_NAME = 60  # characters of a method's name
OCCLUSION = "Occlusion"  # as figures print it
COMMANDS = {"occlude": OCCLUSION, "heat": "Heat map"}  # what maps are of whose file does not name a method
MAP_ENDINGS = (".npy", ".npz", "-occlude.npz", "-attribute.npz", "-heat.npz")
MASK_ENDINGS = (".png", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".jpg", ".jpeg")
VIEW = ("model", "fit", "input_size", "resize")  # options that decide which part of a photo lies where on the input
XYWH = tuple[int, int, int, int]


@dataclass(frozen=True)
class ScoredMap:
    """A map to evaluate: ``label`` in the legend, ``target`` class index, ``values`` (h, w) on the network's input."""

    label: str
    target: int
    values: Tensor


def own_maps(
    network: Network, inputs: Tensor, targets: Sequence[int] | None, control: Control = Control()
) -> list[ScoredMap]:
    """Return the occlusion map of each class of an input (1, 3, h, w), by default of the top class."""
    found = occlusion(network, inputs, targets=targets, control=control)
    several = len(found.targets) > 1
    return [
        ScoredMap(f"{OCCLUSION}, {network.class_name(target)}" if several else OCCLUSION, target, values)
        for target, values in zip(found.targets, found.maps, strict=True)
    ]


def occlusion_maps(inputs: Tensor, targets: Sequence[int], network: Network) -> Tensor:
    """Return the occlusion maps (targets, h, w) of a network: what the sanity check computes again."""
    return occlusion(network, inputs, targets=targets).maps


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

    def method(self, index: int) -> str:
        """Return the name of a map's method as figures print it, "" if the file does not contain it."""
        if self.methods:
            name = self.methods[index]
            return METHODS[name].title if name in METHODS else name
        return COMMANDS.get((self.recipe or {}).get("command", ""), "")


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
    methods = read_arrays(path, ("methods",), "U").get("methods")
    if methods is not None and methods.shape != (count,):
        raise MethodError(f"{name}: its methods are not the names of {count} maps")
    names = None if methods is None else tuple(str(method)[:MAX_NAME] for method in methods)
    return MapFile(name, arrays, tuple(map(int, targets)), read_recipe(path), names)


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


def matching_file(given: str, folder: str, stem: str, endings: Sequence[str]) -> Path:
    """Return the file for a photo: the one named, or, if that is a folder, the one of the photo's stem in it.

    ``folder`` is the photo's place below the folder it was found in. Raises MethodError where there is none.
    """
    if not os.path.isdir(given):
        return Path(given)
    for ending in endings:
        if os.path.isfile(path := Path(given) / folder / (stem + ending)):
            return path
    raise MethodError(f"{printable(given)}: holds no {printable(stem)}{endings[0]}")


def read_object_mask(
    photo: Photo, path: Path | None, boxes: Sequence[XYWH], max_pixels: int
) -> NDArray[np.bool_] | None:
    """Return where the object is, booleans (H, W) on the photo; None without a mask and boxes.

    ``path`` is an image that is light at the object; ``boxes`` are x, y, width, height in pixels. Raises MethodError
    where they do not fit the photo.
    """
    if path is None and not boxes:
        return None
    height, width = photo.shape[:2]
    mask = np.zeros((height, width), bool)
    for x, y, w, h in boxes:
        if x + w > width or y + h > height:
            raise MethodError(f"--box {x},{y},{w},{h} leaves the photo of {width}x{height} pixels")
        mask[y : y + h, x : x + w] = True
    if path is not None:
        light = read_mask(path, (height, width), max_pixels=max_pixels) >= 128  # half as light as white
        if not light.any():
            raise MethodError(f"{printable(str(path))}: the mask is dark everywhere")
        mask = mask | light
    return mask


def read_scored_maps(
    network: Network, inputs: Tensor, geometry: Geometry, files: Sequence[MapFile], *,
    targets: Sequence[int] | None, labels: Sequence[str], sha256: str, view: Mapping[str, object],
) -> list[ScoredMap]:  # fmt: skip
    """Return the maps of files on the network's input, with their classes and labels.

    ``targets`` are the classes to take, by default all of a file; ``labels`` one for each file, by default its name
    and method; ``sha256`` of the photo; ``view`` the values of the options VIEW of this run. Raises MethodError for
    maps that do not fit.
    """
    with torch.inference_mode():
        logits = network(inputs)[0]
    stems = file_labels([Path(file.name) for file in files])
    maps = []
    for number, file in enumerate(files):
        chosen = _of_classes(file, targets, int(logits.argmax()))
        recipe = file.recipe or {}
        source, own = recipe.get("input"), recipe.get("options")
        if isinstance(source, dict) and source.get("sha256") != sha256:
            raise MethodError(f"{file.name}: was made from another photo")
        same_view = isinstance(own, dict) and all(own.get(key) == view[key] for key in VIEW)
        values = torch.from_numpy(file.on_input(geometry, same_view=same_view))
        several = len({target for _, target in chosen}) > 1
        for index, target in chosen:
            if target >= len(logits):
                raise MethodError(f"{file.name}: is of class {target}, and {network.name} has {len(logits)} classes")
            if values[index].isnan().all():
                raise MethodError(f"{file.name}: has only NaN on the network's input")
            label = _label(file, index, labels[number] if labels else "", stems[number] if len(files) > 1 else "")
            words = [label or stems[number], network.class_name(target) if several else ""]
            maps.append(ScoredMap(", ".join(filter(None, words)), target, values[index]))
    if len(maps) > MAX_MAPS:
        raise MethodError(f"{len(maps)} maps, and one figure holds {MAX_MAPS}: choose with --class")
    return maps


def _label(file: MapFile, index: int, given: str, stem: str) -> str:
    """Return a map's name: that given or the file's, if any, and its method, which a name given need not repeat."""
    method = file.method(index)
    if given:
        method = method if file.methods else ""
    elif stem and method in COMMANDS.values():
        method = method.lower()
    return ", ".join(filter(None, [given or stem, method]))


def file_labels(paths: Sequence[Path]) -> list[str]:
    """Return a name of its own for each file: its stem, with its folder where stems are equal, or with a number."""
    for names in ([path.stem for path in paths], [f"{path.parent.name}/{path.stem}" for path in paths]):
        if len(set(names)) == len(names):
            return names
    return [f"{path.stem} ({number})" for number, path in enumerate(paths, 1)]


def _of_classes(file: MapFile, targets: Sequence[int] | None, top: int) -> list[tuple[int, int]]:
    """Return which maps of a file to take, as (index, class)."""
    if file.targets is None:
        count = len(file.arrays["maps"])
        wanted = list(targets or [top])
        if len(wanted) != count:
            raise MethodError(
                f"{file.name}: maps: {count}, classes: {len(wanted)}; name the class of each map with --class"
            )
        return list(enumerate(wanted))
    missing = [index for index in targets or () if index not in file.targets]
    if missing:
        raise MethodError(
            f"{file.name}: holds no map of class {missing[0]}, but of {', '.join(map(str, file.targets))}"
        )
    wanted = list(targets or dict.fromkeys(file.targets))
    if not file.methods:
        return [(file.targets.index(target), target) for target in wanted]
    return [(index, target) for target in wanted for index, own in enumerate(file.targets) if own == target]
