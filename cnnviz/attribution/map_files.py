"""Which maps ``cnnviz evaluate`` judges, and where the thing is: files for a photo, classes for a map."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnviz.app.jobs import Job
from cnnviz.app.session import InputRecord
from cnnviz.errors import InvalidRequest, MethodError, PhotoError, printable
from cnnviz.models import catalog

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from cnnviz.io.arrays import MapFile
    from cnnviz.io.color import Photo
    from cnnviz.models.network import Network
    from cnnviz.models.preprocess import Geometry

MOST = 6  # maps in one picture: as many colours as all eyes tell apart
MAP_ENDINGS = (".npy", ".npz", "-occlude.npz", "-attribute.npz")
MASK_ENDINGS = (".png", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".jpg", ".jpeg")
VIEW = ("model", "fit", "size", "resize")  # options that say which part of a photo lies where on the input


@dataclass(frozen=True)
class ScoredMap:
    """A map to be judged: ``values`` (h, w) on the network's input, the class that it is of, its name in the legend."""

    label: str
    target: int
    values: "Tensor"


@dataclass(frozen=True)
class EvaluationFiles:
    """The files of one photo: those of --map, and that of --mask."""

    maps: list[Path]
    mask: Path | None


def check_evaluation_options(jobs: Sequence[Job], targets: tuple[str, ...], options: Mapping[str, Any]) -> None:
    """Refuse, before any work, options that do not go together. Raises UsageMistake."""
    maps, labels, mask = options["map_files"], options["labels"], options["mask_file"]
    if options["randomize"] and maps:
        raise InvalidRequest("--randomize makes the map again, and only cnnviz's own can be: leave --map out")
    if len(labels) not in (0, len(maps)):
        raise InvalidRequest(f"{len(labels)} --label for {len(maps)} --map: give one for each, or none")
    if max(1, len(maps)) * max(1, len(targets)) > MOST:
        raise InvalidRequest(f"more than {MOST} maps in one picture: give fewer --map or --class")
    for flag, given in [*(("--map", path) for path in maps), *([("--mask", mask)] if mask else [])]:
        if len(jobs) > 1 and not os.path.isdir(given):
            raise InvalidRequest(f"{flag} {printable(given)}: {len(jobs)} photos need a folder of them")
        if any(job.output and os.path.realpath(job.output) == os.path.realpath(given) for job in jobs):
            raise InvalidRequest(f"{printable(given)}: is an input, and an input is never written to")


def files_for(job: Job, options: Mapping[str, Any]) -> EvaluationFiles:
    """Return the files for a photo. Raises MethodError where a folder holds none of its stem."""
    mask = options["mask_file"]
    maps = [_chosen(given, job, MAP_ENDINGS) for given in options["map_files"]]
    return EvaluationFiles(maps, _chosen(mask, job, MASK_ENDINGS) if mask else None)


def _chosen(given: str, job: Job, endings: Sequence[str]) -> Path:
    """Return the file for a photo: the one that was named, or that of the photo's stem in the folder."""
    if not os.path.isdir(given):
        return Path(given)
    for ending in endings:
        if os.path.isfile(path := Path(given) / job.folder / (job.stem + ending)):
            return path
    raise MethodError(f"{printable(given)}: holds no {printable(job.stem)}{endings[0]}")


def read_object_mask(photo: "Photo", path: Path | None, options: Mapping[str, Any]) -> "NDArray[Any] | None":
    """Return where the thing is, booleans (H, W) on the photo; None where nobody said. Raises MethodError."""
    import numpy as np

    if path is None and not options["boxes"]:
        return None
    height, width = photo.shape[:2]
    mask = np.zeros((height, width), bool)
    for x, y, w, h in options["boxes"]:
        if x + w > width or y + h > height:
            raise MethodError(f"--box {x},{y},{w},{h} leaves the photo of {width}x{height} pixels")
        mask[y : y + h, x : x + w] = True
    return mask if path is None else mask | _drawn(path, photo, options["max_pixels"])


def _drawn(path: Path, photo: "Photo", max_pixels: int) -> "NDArray[Any]":
    """Return where a mask's picture is light, (H, W): half of full, in any of its channels."""
    from cnnviz.io.photo import read_photo

    name = printable(str(path))
    try:
        picture = read_photo(path, max_pixels=max_pixels, background="black")
    except PhotoError as error:
        raise MethodError(f"{name}: {error}") from error
    if picture.shape != photo.shape:
        (h, w), (height, width) = picture.shape[:2], photo.shape[:2]
        raise MethodError(f"{name}: a mask of {w}x{h} pixels does not fit the photo of {width}x{height}")
    light: NDArray[Any] = picture.max(2) >= 128
    if not light.any():
        raise MethodError(f"{name}: a mask that is dark all over")
    return light


def read_scored_maps(
    network: "Network", x: "Tensor", geometry: "Geometry", held: "Sequence[MapFile]", chosen: list[int] | None,
    source: InputRecord, options: Mapping[str, Any],
) -> list[ScoredMap]:  # fmt: skip
    """Return the maps of files on the network's input, with their classes and labels. Raises MethodError."""
    import torch

    with torch.inference_mode():
        logits = network(x)[0]
    first = [int(logits.argmax())]
    labels = options["labels"] or _labels(held)
    subjects = []
    for label, file in zip(labels, held, strict=True):
        found = _of_classes(file, chosen, first)
        _same_photo(file, source)
        values = torch.from_numpy(file.on_input(geometry, same_view=_same_view(file, options)))
        for index, target in found:
            if target >= len(logits):
                raise MethodError(f"{file.name}: is of class {target}, and {network.name} has {len(logits)} classes")
            if values[index].isnan().all():
                raise MethodError(f"{file.name}: has no number where the network looks")
            method = catalog.ATTRIBUTIONS.get(file.methods[index], file.methods[index]) if file.methods else ""
            several = len({target for _, target in found}) > 1
            words = [label, method, network.class_name(target) if several else ""]
            subjects.append(ScoredMap(", ".join(filter(None, words)), target, values[index]))
    if len(subjects) > MOST:
        raise MethodError(f"{len(subjects)} maps, and {MOST} go into one picture: choose with --class")
    return subjects


def _labels(held: "Sequence[MapFile]") -> list[str]:
    """Return a name for each file that was given none; one whose maps have names of their own needs none."""
    if len(held) == 1:
        return ["" if held[0].methods else "map"]
    return [f"map {number}" for number in range(1, len(held) + 1)]


def _of_classes(file: "MapFile", chosen: list[int] | None, first: list[int]) -> list[tuple[int, int]]:
    """Return which maps of a file to take, with the class of each."""
    count = len(file.arrays["maps"])
    if file.targets is None:
        targets = chosen or first
        if len(targets) != count:
            raise MethodError(
                f"{file.name}: maps: {count}, classes: {len(targets)}; name the class of each map with --class"
            )
        return list(enumerate(targets))
    missing = [index for index in chosen or () if index not in file.targets]
    if missing:
        raise MethodError(
            f"{file.name}: holds no map of class {missing[0]}, but of {', '.join(map(str, file.targets))}"
        )
    wanted = chosen or list(dict.fromkeys(file.targets))
    if not file.methods:
        return [(file.targets.index(target), target) for target in wanted]
    return [(index, target) for target in wanted for index, own in enumerate(file.targets) if own == target]


def _same_photo(file: "MapFile", source: InputRecord) -> None:
    made_from = file.recipe.get("input") if file.recipe else None
    if isinstance(made_from, dict) and made_from.get("sha256") != source.sha256:
        raise MethodError(f"{file.name}: was made from another photo")


def _same_view(file: "MapFile", options: Mapping[str, Any]) -> bool:
    there = file.recipe.get("options") if file.recipe else None
    return isinstance(there, dict) and all(there.get(key) == options[key] for key in VIEW)
