"""One change that fools a network on most photos, whatever they show.

Moosavi-Dezfooli, Fawzi, Fawzi & Frossard 2017, "Universal adversarial perturbations", section 2 and algorithm 1, with
the step to a boundary of DeepFool (Moosavi-Dezfooli, Fawzi & Frossard 2016, section 3).

Departures: the network is given whole levels at every step, as files hold them, and the change returned is whole; a
step goes MARGIN logits beyond the boundary, OVERSHOOT times as far as the linearisation asks, to make up for rounding
and clipping; it leads to the second class alone, one gradient a step and not ten; the change passes through each
photo's own resize before the network, so that what resizing removes is not sought; rounds go on until all photos are
fooled, and the best change is kept.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.adversarial.criterion import Criterion, criterion_for
from cnnviz.adversarial.pipeline import AttackedPhoto, Source, attacked_photo
from cnnviz.adversarial.target import Diagnostics, QueryCount, diagnose, search_logits
from cnnviz.adversarial.verification import WrittenAttack
from cnnviz.control import Control
from cnnviz.io.photo import StoredImage
from cnnviz.models.network import Network
from cnnviz.models.preprocess import STRIP, Geometry, resampling_matrix, to_inputs

MARGIN = 3.0  # logits by which another class must lead
OVERSHOOT = 2.0  # DeepFool's own is 1.02
NEAREST = 10  # steps to a boundary, at most: DeepFool's
BATCH = 16  # photos evaluated at a time


@dataclass(frozen=True)
class UniversalPerturbation:
    """A ``change`` (3, h, w), int16, in levels of 1/255 on the network's input.

    ``fooling_rate``: share of the photos of the search that it fools; ``queries`` of each of them.
    """

    change: Tensor
    fooling_rate: float
    queries: list[QueryCount]

    def apply(self, photo: AttackedPhoto, ground_truth: str | int | None = None) -> WrittenAttack:
        """Return a photo with the change added where the network's input lies, to be verified and written."""
        criterion = criterion_for(photo.network, photo.clean_logits, ground_truth=ground_truth)
        values = add_pattern(photo.original, photo.geometry, self.change.numpy())
        return WrittenAttack(photo, criterion, torch.from_numpy(values))

    def diagnose(self, written: WrittenAttack, queries: QueryCount | None) -> Diagnostics:
        """Return what weakens the result on a photo; ``queries``: its own in the search, None if it was held out."""
        return diagnose(written.photo, queries or QueryCount(), written.criterion.target)


def universal(
    network: Network,
    photos: Iterable[Source | AttackedPhoto],
    *,
    eps: int = 10,
    steps: int = 10,
    ground_truth: str | int | None = None,
    fit: str = "crop",
    seed: int = 0,
    control: Control = Control(),
) -> UniversalPerturbation:
    """Search one change that fools a network on all of some photos.

    Parameters
    ----------
    network : Network
    photos : iterable of str, Path, ndarray of uint8, StoredImage or AttackedPhoto
        Paths, RGB arrays (H, W, 3), or StoredImages, read one at a time.
    eps : int, default 10
        The largest change of a value, in levels of 1/255.
    steps : int, default 10
        Rounds through all photos, at most.
    ground_truth : str or int, optional
        The class that all of them show; by default the network's first class of each.
    fit : str, default "crop"
        As in ``cnnviz.fit``.
    seed : int, default 0
        Seeds the order of the photos.
    control : Control, default Control()
        Gets the rounds done, with the share fooled.

    Returns
    -------
    UniversalPerturbation
        ``change`` (3, h, w), int16, in levels of 1/255 on the network's input, and its ``fooling_rate``.

    Raises
    ------
    InvalidRequest
        For a class that the network lacks.
    MethodError, PhotoError
        For a photo, or a network, that cannot be attacked, and for a file that cannot be read.

    Notes
    -----
    One photo after the other, the change is moved over the nearest boundary of each that it does not fool yet, and
    clipped to the largest level [1]_; the step to the boundary is that of DeepFool [2]_.
    ``cnnviz.adversarial.universal`` states the departures.

    References
    ----------
    .. [1] Moosavi-Dezfooli et al., "Universal adversarial perturbations", 2017, section 2 and algorithm 1.
    .. [2] Moosavi-Dezfooli, Fawzi & Frossard, "DeepFool", 2016, section 3.

    Examples
    --------
    >>> photos = ["sample_images/coffee.jpg", "sample_images/chelsea.jpg"]
    >>> found = cnnviz.universal(cnnviz.load_network(), photos)  # found.change: (3, 224, 224)
    """
    images, criteria, resizes = [], [], []
    for photo in photos:
        own = photo if isinstance(photo, AttackedPhoto) else attacked_photo(photo, network, fit)
        images.append(own.geometry.see(own.clean_photo))
        criteria.append(criterion_for(network, own.clean_logits, ground_truth=ground_truth))
        resizes.append(resize_matrices(own.geometry))
    queries = [QueryCount() for _ in images]
    search = UniversalSearch(partial(search_logits, network), to_inputs(images), criteria, resizes, queries)
    return search.run(eps, steps, seed, control)


@dataclass(frozen=True)
class UniversalSearch:
    """A search of one change that fools on all inputs.

    ``network``: RGB (N, 3, h, w) in [0, 1] to logits (N, classes) on the CPU; ``inputs`` (N, 3, h, w) in [0, 1];
    ``criteria``: when each is fooled; ``resizes``: for each the matrices (h, h) and (w, w) that carry a change, along
    both axes, through the file to the network; ``queries`` of each.
    """

    network: Callable[[Tensor], Tensor]
    inputs: Tensor
    criteria: Sequence[Criterion]
    resizes: Sequence[tuple[Tensor, Tensor]]
    queries: list[QueryCount]

    def run(self, eps: int, steps: int, seed: int = 0, control: Control = Control()) -> UniversalPerturbation:
        """Search a change of at most ``eps`` levels in ``steps`` rounds, in an order drawn from ``seed``."""
        generator = torch.Generator().manual_seed(seed)
        change = best = torch.zeros(self.inputs.shape[1:])
        highest = self.fooling_rate(change)
        for number in range(steps):
            for index in torch.randperm(len(self.inputs), generator=generator).tolist():
                change = self.beyond_boundary(index, change, eps)
            rate = self.fooling_rate(change)
            control.report(number + 1, steps, f"{rate:.0%} fooled")
            if rate > highest:
                best, highest = change.round(), rate
            if highest == 1:
                break
        return UniversalPerturbation(best.to(torch.int16), highest, self.queries)

    def beyond_boundary(self, index: int, change: Tensor, eps: int) -> Tensor:
        """Return a change (3, h, w) moved over the nearest boundary of a photo; as it is, if that is fooled."""
        for _ in range(NEAREST):
            step = self._step(index, change)
            if step is None:
                break
            change = (change + step).clamp(-eps, eps)
        return change

    def _step(self, index: int, change: Tensor) -> Tensor | None:
        """Return the shortest step over the linearised boundary, and beyond; None if it is passed."""
        criterion, queries = self.criteria[index], self.queries[index]
        x = self._changed(index, change)[None].requires_grad_()
        with torch.enable_grad():
            missing = MARGIN - criterion.margins(self.network(x))[0]
        queries.forward += 1
        if missing < 0:
            return None
        (gradient,) = torch.autograd.grad(missing, x)
        rows, columns = self.resizes[index]
        gradient = rows.T @ gradient[0] @ columns / 255
        queries.backward += 1
        queries.zero_gradients += not gradient.any()
        return -gradient * (OVERSHOOT * missing.detach() / gradient.square().sum().clamp(min=1e-30))

    def fooling_rate(self, change: Tensor) -> float:
        """Return the share of the photos that a change fools."""
        fooled = 0
        for first in range(0, len(self.inputs), BATCH):
            batch = range(first, min(first + BATCH, len(self.inputs)))
            with torch.no_grad():
                rows = self.network(torch.stack([self._changed(index, change) for index in batch]))
            for index, logits in zip(batch, rows, strict=True):
                self.queries[index].forward += 1
                fooled += int(self.criteria[index].margins(logits[None])[0] > 0)
        return fooled / len(self.inputs)

    def _changed(self, index: int, change: Tensor) -> Tensor:
        """Return the network's input of a photo with a change (3, h, w), both rounded to whole levels."""
        rows, columns = self.resizes[index]
        return ((self.inputs[index] * 255 + rows @ change.round() @ columns.T).round() / 255).clamp(0, 1)


def add_pattern(original: StoredImage, geometry: Geometry, pattern: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return stored values (H, W, C) plus a pattern (3, h, w) of levels, in the part that the network's input covers.

    Resampled to the photo's own pixels, bilinear, in whole levels; a grey photo gets the channels' mean. Made in
    strips, so that a large one costs no more memory than its own.
    """
    changed = np.empty_like(original.values)
    for top in range(0, len(changed), STRIP):
        rows = slice(top, top + STRIP)
        change = np.nan_to_num(geometry.to_photo(pattern, rows)).transpose(1, 2, 0)
        if changed.shape[2] == 1:
            change = change.mean(2, keepdims=True)
        changed[rows] = np.clip(original.values[rows] + change.round(), 0, 255)
    return changed


def resize_matrices(geometry: Geometry) -> tuple[Tensor, Tensor]:
    """Return the matrices (h, h) and (w, w) from a pattern, through a photo, to the network's input.

    Along each axis: onto the photo as in ``add_pattern``, then the network's own resize and crop. Without rounding.
    """
    rows, columns = (_axis_matrix(geometry, axis) for axis in (0, 1))
    return rows, columns


def _axis_matrix(geometry: Geometry, axis: int) -> Tensor:
    size, photo = geometry.size[axis], geometry.photo[axis]
    resized, offset = geometry.resized[axis], geometry.offset[axis]
    line = replace(geometry, photo=(photo, 1), resized=(resized, 1), offset=(offset, 0), size=(size, 1))
    onto = np.nan_to_num(line.to_photo(np.eye(size, dtype=np.float32)[..., None])[..., 0])  # a photo one pixel wide
    return torch.from_numpy(resampling_matrix(photo, resized, geometry.kind, offset, size) @ onto.T)
