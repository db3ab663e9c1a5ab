"""The images that maximise each channel of a layer, cut out and projected back by the deconvnet.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2013 (arXiv:1311.2901), section 4.1, figure 2.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.control import Control
from cnnviz.errors import CnnvizError, InvalidRequest, PhotoError
from cnnviz.features.projections import ProjectionSettings, Projector, UnitRegion, resize_square
from cnnviz.features.top_activations import TopActivations, top_activations
from cnnviz.graph.backward_rules import Method
from cnnviz.io.image_file import START, may_be_picture
from cnnviz.io.photo import read_photo
from cnnviz.models.network import Network
from cnnviz.models.preprocess import fit
from cnnviz.models.result import NetworkResult

SIDE = 128  # pixels of a patch and of a projection
Reader = Callable[[int], Tensor]  # of an image by its number: (1, 3, h, w), RGB in [0, 1]; may raise a CnnvizError
Failure = Callable[[int, CnnvizError], None]
AnyPhoto = Path | str | NDArray[np.uint8]


@dataclass(frozen=True)
class TopImage:
    """One of the images that maximise a channel.

    ``number`` of the image; ``position`` (y, x) and ``activation`` of its strongest unit, after rectification;
    ``region`` of the input that the unit sees; ``patch`` (3, side, side) of the image in [0, 1], and ``projection``
    (3, side, side) of the unit, signed.
    """

    number: int
    position: tuple[int, int]
    activation: float
    region: UnitRegion
    patch: NDArray[np.float32]
    projection: NDArray[np.float32]


@dataclass(frozen=True)
class TopImages(NetworkResult):
    """For each channel of a layer the images that maximise it, the strongest first.

    ``images`` evaluated; ``channels`` by number; ``failures``, by number of the image, why it could not be used;
    ``maps`` of the layer; ``method`` of the projections.
    """

    layer: str
    images: int
    channels: Mapping[int, tuple[TopImage, ...]]
    failures: Mapping[int, str]
    maps: int = 0
    method: Method = "deconvnet"


def top_images(
    network: Network,
    photos: Path | str | Sequence[AnyPhoto],
    *,
    layer: str,
    channels: Sequence[int] | None = None,
    k: int = 9,
    settings: ProjectionSettings | None = None,
    fit_mode: str = "crop",
    control: Control = Control(),
) -> TopImages:
    """Find the photos that maximise each channel of a layer, and project their strongest units back.

    Parameters
    ----------
    network : Network
    photos : str, Path, or sequence of str, Path or ndarray of uint8
        A folder, which is searched with its subfolders, or a sequence of files and images (H, W, 3).
    layer : str
        A name of ``network.layers()``.
    channels : sequence of int, optional
        Channels to project; by default the first 12.
    k : int, default 9
        Photos for each channel.
    settings : ProjectionSettings, optional
        How units are projected; by default as the deconvnet does.
    fit_mode : str, default "crop"
        How a photo becomes the input, as ``fit`` in ``cnnviz.fit``.
    control : Control, default Control()
        Gets the progress, and is asked whether to stop.

    Returns
    -------
    TopImages
        ``channels``: for each the images that maximise it, the strongest first. Photos that cannot be read are left out
        and named in ``failures``.

    Raises
    ------
    InvalidRequest
        For an unknown layer or channel, or no photo at all.
    PhotoError
        Where none of the photos can be read.

    References
    ----------
    .. [1] Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2013 (arXiv:1311.2901), section 4.1
       and figure 2.

    Examples
    --------
    >>> top = cnnviz.top_images(cnnviz.load_network(), "sample_images", layer="blocks.4", channels=[3, 20], k=2)
    >>> strongest = top.channels[3][0].patch  # (3, 128, 128)
    """
    found, failures = _find_photos(photos), dict[int, str]()

    def read(number: int) -> Tensor:
        photo = found[number]
        return fit(photo if isinstance(photo, np.ndarray) else read_photo(photo), network, fit_mode)[0]

    def fail(number: int, error: CnnvizError) -> None:
        failures[number] = str(error)

    projector = Projector(network, settings or ProjectionSettings(layer))
    images = readable_images(read, range(len(found)), fail)
    best = top_activations(network, images, layer=layer, top=k, total=len(found), on_failure=fail, control=control)
    if best is None:
        if failures:
            raise PhotoError(f"no photo could be read; the first: {next(iter(failures.values()))}")
        raise InvalidRequest("there is no photo")
    count = len(best.values)
    wanted = list(range(min(count, 12))) if channels is None else list(channels)
    if beyond := [channel for channel in wanted if not 0 <= channel < count]:
        raise InvalidRequest(f"channel {beyond[0]}: {layer} has {count}, counted from 0")
    projected = project_top_images(projector, read, best, wanted, control)
    return TopImages(layer, best.done, projected, failures, count, projector.method, network=network)


def readable_images(read: Reader, numbers: Iterable[int], on_failure: Failure) -> Iterator[tuple[int, Tensor]]:
    """Yield images by number; ``on_failure`` gets those that cannot be read.

    They are not read ahead in threads: decoding redirects the C libraries' standard error, which is the whole
    process's.
    """
    for number in numbers:
        try:
            inputs = read(number)
        except InvalidRequest:  # it would be the same for all
            raise
        except CnnvizError as error:
            on_failure(number, error)
        else:
            yield number, inputs


def project_top_images(
    projector: Projector, read: Reader, best: TopActivations, channels: Sequence[int], control: Control
) -> dict[int, tuple[TopImage, ...]]:
    """Return the projected units of some channels, each image read once; nothing where ``control`` asked to stop."""
    hits = {channel: best.hits(channel) for channel in channels}
    ranks = defaultdict(list)
    for channel, found in hits.items():
        for rank, (number, _, _) in enumerate(found):
            ranks[number].append((channel, rank))
    done, total = 0, sum(map(len, hits.values()))
    projected: dict[tuple[int, int], TopImage] = {}
    for number in sorted(ranks):
        if control.stopped():
            return {}
        inputs = read(number)
        recorded = projector.record(inputs)
        for channel, rank in ranks[number]:
            _, position, value = hits[channel][rank]
            unit = projector.project(recorded, inputs, channel, position)
            patch, part = resize_square(unit.patch, SIDE), resize_square(unit.part, SIDE)
            projected[channel, rank] = TopImage(number, position, max(value, 0.0), unit.region, patch, part)
            done += 1
        control.report(done, total)
    return {channel: tuple(projected[channel, rank] for rank in range(len(found))) for channel, found in hits.items()}


def _find_photos(photos: Path | str | Sequence[AnyPhoto]) -> Sequence[AnyPhoto]:
    """Return the photos of a folder and its subfolders, sorted by path; a sequence stays as it is."""
    if not isinstance(photos, Path | str):
        return photos
    if not Path(photos).is_dir():
        return [photos]
    return sorted(path for path in Path(photos).rglob("[!.]*") if path.is_file() and _begins_like_photo(path))


def _begins_like_photo(path: Path) -> bool:
    with path.open("rb") as file:
        return may_be_picture(file.read(START))
