"""What ``cnnviz dream`` and ``visualize`` share: what to climb, the pictures they begin with, the steps on the way."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnviz.app.jobs import Job, Line
from cnnviz.app.options import require_layer
from cnnviz.app.param_types import weighted
from cnnviz.app.session import Session
from cnnviz.errors import InvalidRequest, MethodError, PhotoError, printable
from cnnviz.io import write
from cnnviz.models import catalog

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from cnnviz.app.console import ReportProgress
    from cnnviz.io.color import Photo
    from cnnviz.models.network import Network
    from cnnviz.synthesis.dream import DreamResult, Progress
    from cnnviz.synthesis.spec import ObjectiveSpec

NOISE_SIDE = 512  # pixels of a picture from noise where --size says nothing
Channels = dict[tuple[str, int], float]


def wanted(options: Mapping[str, Any]) -> tuple[dict[str, float], Channels]:
    """Return the layers and the channels that --layer and --channel ask for, with their weights.

    A channel without a layer is one of the layer that is named, which is then not taken whole. Raises UsageMistake
    where that is not clear, and where no layer is named and the network has none of its own.
    """
    layers = dict(map(weighted, options["layer"]))
    channels: Channels = {}
    for text in options["channels"]:
        name, weight = weighted(text)
        layer, colon, number = name.rpartition(":")
        if not number.isdecimal():
            raise InvalidRequest(f"--channel {text}: is no number, or LAYER:NUMBER")
        channels[layer if colon else _only(layers, text, options["model"]), int(number)] = weight
    for text in options["channels"]:
        if ":" not in text:
            layers.pop(_only(dict(map(weighted, options["layer"])), text, options["model"]), None)
    if not (layers or channels or options["targets"]):
        layers = {_default(options["model"]): 1.0}
    return layers, channels


def _default(model: str) -> str:
    return require_layer(catalog.dream_layer(model), model)


def _only(layers: Mapping[str, float], text: str, model: str) -> str:
    if len(layers) > 1:
        raise InvalidRequest(f"--channel {text}: say of which layer, such as {next(iter(layers))}:{text}")
    return next(iter(layers), None) or _default(model)


def aim(network: "Network", options: Mapping[str, Any], guides: "Sequence[Photo]") -> "ObjectiveSpec":
    """Return what to dream of."""
    import torch

    from cnnviz.synthesis.spec import ObjectiveSpec

    layers, channels = wanted(options)
    if not layers and (guides or options["caricature"]):
        raise InvalidRequest("--guide and --caricature go with a --layer that is taken whole")
    classes = {network.class_index(name): weight for name, weight in map(weighted, options["targets"])}
    small = [resize(guide, max(network.size)) for guide in guides]
    tensors = [torch.from_numpy(guide.copy()).permute(2, 0, 1)[None].float() / 255 for guide in small]
    return ObjectiveSpec(layers, channels, classes, tensors, options["caricature"])


def tell(found: "DreamResult", aim: "ObjectiveSpec", network: "Network") -> Line:
    """Return the numbers of a dream, for the recipe and --json."""
    numbers: Line = {
        "network": network.name,
        "aim": terms(aim, network),
        "size": list(found.picture.shape[-2:]),
        "octaves": [list(size) for size in found.sizes],
        "values": [round(value, 6) for value in found.values],
    }
    return numbers if found.done == found.of else numbers | {"steps_done": found.done}


def terms(aim: "ObjectiveSpec", network: "Network") -> list[Line]:
    """Return what is dreamt of, term by term, for the recipe and --json."""
    terms: list[Line] = [{"layer": name, "weight": weight} for name, weight in aim.layers.items()]
    terms += [{"layer": name, "channel": number, "weight": weight} for (name, number), weight in aim.channels.items()]
    terms += [
        {"target": target, "class": network.class_name(target), "weight": weight}
        for target, weight in aim.classes.items()
    ]
    return terms


def resize(photo: "Photo", longer: int | None) -> "Photo":
    """Return a photo (H, W, 3) with its longer side at ``longer`` pixels; as it is where that is None."""
    if longer is None or max(photo.shape[:2]) == longer:
        return photo
    import numpy as np
    from PIL import Image

    scale = longer / max(photo.shape[:2])
    high, wide = (max(1, round(side * scale)) for side in photo.shape[:2])
    return np.asarray(Image.fromarray(photo).resize((wide, high), Image.Resampling.LANCZOS))


def mask(path: str | None, photo: "Photo", longer: int | None, options: Mapping[str, Any]) -> "NDArray[Any] | None":
    """Return how far a mask lets a dream through, (H, W) in 0 to 1 at the size of the dream; None without one."""
    if path is None:
        return None
    import numpy as np

    drawn = _read(path, max_pixels=options["max_pixels"], background="black")
    (h, w), (height, width) = drawn.shape[:2], photo.shape[:2]
    if (h, w) != (height, width):
        raise MethodError(f"{printable(path)}: a mask of {w}x{h} pixels does not fit the photo of {width}x{height}")
    values: NDArray[np.float32] = resize(drawn, longer).max(2).astype(np.float32) / 255
    return values


def read_guide(path: str, options: Mapping[str, Any]) -> "Photo":
    """Return a guide's picture. Raises MethodError with its name where it cannot be read."""
    return _read(path, max_pixels=options["max_pixels"], background=options["background"])


def _read(path: str, **options: Any) -> "Photo":
    from cnnviz.io.photo import read_photo

    try:
        return read_photo(path, **options)
    except PhotoError as error:
        raise MethodError(f"{printable(path)}: {error}") from error


def tensor(picture: "NDArray[Any]") -> "Tensor":
    """Return a picture uint8 (H, W, 3) in its bytes, or a mask (H, W) in 0 to 1, as (1, channels, H, W)."""
    import torch

    if picture.ndim == 2:
        return torch.from_numpy(picture.copy())[None, None]
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].contiguous()


def pixels(picture: "Tensor") -> "Photo":
    """Return a picture (3, H, W) in [0, 1] as uint8 (H, W, 3)."""
    rounded: Photo = (picture * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return rounded


def step_file(path: str, step: int, of: int) -> str:
    """Return the file of a picture on the way: cat-dream.png at step 8 of 40 is cat-dream-08.png."""
    place = Path(path)
    return str(place.with_name(f"{place.stem}-{step:0{len(str(of))}}{place.suffix}"))


def saving(run: Session, job: Job, every: int | None, recipe: Mapping[str, Any]) -> "Callable[[Any], None]":
    """Return what writes every ``every``-th picture beside the last, with its step in the recipe."""

    def save(at: "Progress") -> None:
        if every is None or at.step % every or at.step == at.of:
            return
        path = step_file(str(job.output), at.step, at.of)
        write.check_output(path, overwrite=run.options["overwrite"])
        write.write_picture(path, pixels(at.picture()[0]), {**recipe, "numbers": {"steps_done": at.step}})

    return save


def check_saving(every: int | None, target: str | None) -> None:
    """Refuse pictures on the way where the last one goes to standard output."""
    if every is not None and target in write.STDOUT:
        raise click.UsageError("--save-every writes files, which -o - has no place for")


def told(tick: "ReportProgress", save: "Callable[[Progress], None] | None" = None) -> "Callable[[Any], None]":
    """Return what is told of every step: the progress on a terminal, and the pictures on the way to ``save``."""

    def tell(at: "Progress") -> None:
        tick(at.step, at.of, f"objective {at.value:.4g}")
        if save:
            save(at)

    return tell


def ended(run: Session, numbers: Line, done: int, of: int) -> Line:
    """Return what --json says of work that may have been stopped; a person is told where it was."""
    if done == of:
        return numbers
    run.console.note(f"stopped after {done} of {of} steps; the picture is what there was")
    return numbers | {"status": "partial"}
