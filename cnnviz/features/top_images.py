"""The images that maximise the activation of each channel of a layer, with what in them did.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2013 (arXiv:1311.2901), section 4.1 and figure
2: for each feature map the images of its nine largest activations, cut out and projected back by the deconvnet.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.control import Control
from cnnviz.errors import CnnvizError, InvalidRequest
from cnnviz.features.projections import ProjectionSettings, Projector, UnitRegion
from cnnviz.features.top_activations import TopActivations, top_activations
from cnnviz.io.header import START, may_be_picture
from cnnviz.io.photo import read_photo
from cnnviz.models.network import Network
from cnnviz.models.preprocess import fit

SIDE = 128  # pixels of a patch and of a projection
Failure = Callable[[int, CnnvizError], None]


class ImageSource(Protocol):
    """Images by number, as inputs of a network; reading one may raise a CnnvizError."""

    def __len__(self) -> int:
        """Return how many images there are."""

    def __getitem__(self, number: int) -> Tensor:
        """Return an image as the network's input, (1, 3, h, w), RGB in [0, 1]."""


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
class TopImages:
    """For each channel of a layer the images that maximise it, the strongest first.

    ``images`` evaluated; ``channels`` by number; ``failures``, by number of the image, why it could not be used.
    """

    layer: str
    images: int
    channels: Mapping[int, tuple[TopImage, ...]]
    failures: Mapping[int, str]


def top_images(
    network: Network,
    photos: Path | str | Sequence[Path | str | NDArray[np.uint8]],
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
        Channels to project; by default the first 16.
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

    References
    ----------
    .. [1] Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2013 (arXiv:1311.2901), section 4.1
       and figure 2.

    Examples
    --------
    >>> top = cnnviz.top_images(cnnviz.load_network(), "sample_images", layer="blocks.4", channels=[3, 20], k=2)
    >>> strongest = top.channels[3][0].patch  # (3, 128, 128)
    """
    images = PhotoSource(network, find_photos(photos), fit_mode)
    projector = Projector(network, settings or ProjectionSettings(layer))
    failures: dict[int, str] = {}

    def fail(number: int, error: CnnvizError) -> None:
        failures[number] = str(error)

    best = search_images(network, images, layer=layer, k=k, on_failure=fail, control=control)
    if best is None:
        raise InvalidRequest("no photo could be read")
    count = len(best.values)
    wanted = list(range(min(count, 16))) if channels is None else list(channels)
    if beyond := [channel for channel in wanted if not 0 <= channel < count]:
        raise InvalidRequest(f"channel {beyond[0]}: {layer} has {count}, counted from 0")
    found = project_top_images(projector, images, best, wanted, control=control)
    return TopImages(layer, best.done, found, failures)


def search_images(
    network: Network,
    images: ImageSource,
    *,
    layer: str,
    k: int,
    known: TopActivations | None = None,
    on_batch: Callable[[TopActivations], None] | None = None,
    on_failure: Failure,
    control: Control = Control(),
) -> TopActivations | None:
    """Return each channel's ``k`` largest activations over images; None where none could be used.

    ``on_failure`` gets the images that cannot be read or that the network refuses. For the rest see
    ``top_activations``.
    """
    first = known.last + 1 if known else 0
    return top_activations(
        network, _readable(images, first, on_failure), layer=layer, top=k, known=known, total=len(images),
        on_batch=on_batch, on_failure=on_failure, control=control,
    )  # fmt: skip


def _readable(images: ImageSource, first: int, on_failure: Failure) -> Iterator[tuple[int, Tensor]]:
    """Yield images by number, without those that cannot be read.

    They are not read ahead in threads: decoding redirects the C libraries' standard error, which is the whole
    process's.
    """
    for number in range(first, len(images)):
        try:
            inputs = images[number]
        except InvalidRequest:  # it would be the same for all
            raise
        except CnnvizError as error:
            on_failure(number, error)
        else:
            yield number, inputs


def project_top_images(
    projector: Projector,
    images: ImageSource,
    best: TopActivations,
    channels: Sequence[int],
    *,
    side: int = SIDE,
    control: Control = Control(),
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
        inputs = images[number]
        recorded = projector.record(inputs)
        for channel, rank in ranks[number]:
            _, position, value = hits[channel][rank]
            unit = projector.project(recorded, inputs, channel, position).resized(side)
            projected[channel, rank] = TopImage(number, position, max(value, 0.0), unit.region, unit.patch, unit.part)
            done += 1
        control.report(done, total)
    return {channel: tuple(projected[channel, rank] for rank in range(len(found))) for channel, found in hits.items()}


@dataclass(frozen=True)
class PhotoSource:
    """Photos as inputs of a network: files, read when they are needed, or images, uint8 (H, W, 3)."""

    network: Network
    photos: Sequence[Path | str | NDArray[np.uint8]]
    fit_mode: str = "crop"

    def __len__(self) -> int:
        """Return how many photos there are."""
        return len(self.photos)

    def __getitem__(self, number: int) -> Tensor:
        """Return a photo as the network's input, (1, 3, h, w). Raises PhotoError for a file that cannot be read."""
        photo = self.photos[number]
        image = photo if isinstance(photo, np.ndarray) else read_photo(photo)
        return fit(image, self.network, self.fit_mode)[0]


def find_photos(
    photos: Path | str | Sequence[Path | str | NDArray[np.uint8]],
) -> Sequence[Path | str | NDArray[np.uint8]]:
    """Return the photos of a folder and its subfolders, sorted by path; a sequence stays as it is."""
    if not isinstance(photos, Path | str):
        return photos
    if not Path(photos).is_dir():
        return [photos]
    return sorted(path for path in Path(photos).rglob("[!.]*") if path.is_file() and _begins_like_photo(path))


def _begins_like_photo(path: Path) -> bool:
    with path.open("rb") as file:
        return may_be_picture(file.read(START))
