"""Maps and object masks from files: which file belongs to a photo, and which map of a file to which class."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.attribution.catalog import METHODS
from cnnviz.attribution.map_arrays import MapFile
from cnnviz.errors import MethodError
from cnnviz.io.color import Photo
from cnnviz.io.photo import read_mask
from cnnviz.text import printable

if TYPE_CHECKING:
    from cnnviz.models.network import Network
    from cnnviz.models.preprocess import Geometry

MAX_MAPS = 6  # in one figure: as many colours as colour-blind readers can tell apart
MAP_ENDINGS = (".npy", ".npz", "-occlude.npz", "-attribute.npz")
MASK_ENDINGS = (".png", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".jpg", ".jpeg")
VIEW = ("model", "fit", "input_size", "resize")  # options that decide which part of a photo lies where on the input
XYWH = tuple[int, int, int, int]


@dataclass(frozen=True)
class ScoredMap:
    """A map to evaluate: ``label`` in the legend, ``target`` class index, ``values`` (h, w) on the network's input."""

    label: str
    target: int
    values: Tensor


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
    return mask if path is None else mask | _light_pixels(path, photo, max_pixels)


def _light_pixels(path: Path, photo: Photo, max_pixels: int) -> NDArray[np.bool_]:
    """Return where a mask image is at least half as light as white, in any of its channels, (H, W)."""
    light: NDArray[np.bool_] = read_mask(path, photo.shape[:2], max_pixels=max_pixels) >= 128
    if not light.any():
        raise MethodError(f"{printable(str(path))}: the mask is dark everywhere")
    return light


def read_scored_maps(
    network: "Network", inputs: Tensor, geometry: "Geometry", files: Sequence[MapFile], *,
    targets: Sequence[int] | None, labels: Sequence[str], sha256: str, view: Mapping[str, object],
) -> list[ScoredMap]:  # fmt: skip
    """Return the maps of files on the network's input, with their classes and labels.

    ``targets`` are the classes to take, by default all of a file; ``labels`` one for each file, or none; ``sha256``
    of the photo; ``view`` the values of the options VIEW of this run. Raises MethodError for maps that do not fit.
    """
    with torch.inference_mode():
        logits = network(inputs)[0]
    top = [int(logits.argmax())]
    maps = []
    for label, file in zip(labels or _labels(files), files, strict=True):
        chosen = _of_classes(file, targets, top)
        _check_photo(file, sha256)
        values = torch.from_numpy(file.on_input(geometry, same_view=_same_view(file, view)))
        several = len({target for _, target in chosen}) > 1
        for index, target in chosen:
            if target >= len(logits):
                raise MethodError(f"{file.name}: is of class {target}, and {network.name} has {len(logits)} classes")
            if values[index].isnan().all():
                raise MethodError(f"{file.name}: has only NaN on the network's input")
            words = [label, _method_title(file, index), network.class_name(target) if several else ""]
            maps.append(ScoredMap(", ".join(filter(None, words)), target, values[index]))
    if len(maps) > MAX_MAPS:
        raise MethodError(f"{len(maps)} maps, and one figure holds {MAX_MAPS}: choose with --class")
    return maps


def _labels(files: Sequence[MapFile]) -> list[str]:
    """Return labels for files without; a single file whose maps name their methods needs none."""
    if len(files) == 1:
        return ["" if files[0].methods else "map"]
    return [f"map {number}" for number in range(1, len(files) + 1)]


def _method_title(file: MapFile, index: int) -> str:
    if not file.methods:
        return ""
    name = file.methods[index]
    return METHODS[name].title if name in METHODS else name


def _of_classes(file: MapFile, targets: Sequence[int] | None, top: list[int]) -> list[tuple[int, int]]:
    """Return which maps of a file to take, as (index, class)."""
    count = len(file.arrays["maps"])
    if file.targets is None:
        wanted = list(targets or top)
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


def _check_photo(file: MapFile, sha256: str) -> None:
    source = file.recipe.get("input") if file.recipe else None
    if isinstance(source, dict) and source.get("sha256") != sha256:
        raise MethodError(f"{file.name}: was made from another photo")


def _same_view(file: MapFile, view: Mapping[str, object]) -> bool:
    own = file.recipe.get("options") if file.recipe else None
    return isinstance(own, dict) and all(own.get(key) == view[key] for key in VIEW)
