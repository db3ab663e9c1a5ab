"""One change that fools a network on most photos, whatever they show.

Moosavi-Dezfooli, Fawzi, Fawzi & Frossard 2017, "Universal adversarial perturbations", section 2 and algorithm 1: one
photo after the other, the change is moved over the nearest boundary of each that it does not fool yet, and clipped to
the largest level again. The step to the boundary is that of DeepFool (Moosavi-Dezfooli, Fawzi & Frossard 2016, section
3).

Departures: the network is given whole levels at every step, as files hold them, and the change returned is whole; a
step goes MARGIN logits beyond the boundary, OVERSHOOT times as far as the linearisation asks, to make up for rounding
and clipping; it leads to the second class alone, one gradient a step and not ten; the change passes through each
photo's own resize before the network, so that what resizing removes is not sought; rounds go on until all photos are
fooled, and the best change is kept.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.adversarial.criterion import Criterion, criterion_for
from cnnviz.adversarial.diagnostics import Diagnostics, diagnose
from cnnviz.adversarial.pipeline import AttackedPhoto, Source, attacked_photo
from cnnviz.adversarial.target import QueryCount, logits_extractor
from cnnviz.adversarial.universal_pattern import add_pattern, resize_matrices
from cnnviz.adversarial.verification import WrittenAttack
from cnnviz.control import Control
from cnnviz.models.features import LOGITS
from cnnviz.models.network import Network
from cnnviz.models.preprocess import to_inputs

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
    extractor, images, criteria, resizes = logits_extractor(network), [], [], []
    for photo in photos:
        own = photo if isinstance(photo, AttackedPhoto) else attacked_photo(photo, network, fit)
        images.append(own.geometry.see(own.clean_photo))
        criteria.append(criterion_for(network, own.clean_logits, ground_truth=ground_truth))
        rows, columns = map(torch.from_numpy, resize_matrices(own.geometry))
        resizes.append((rows, columns))
    return universal_perturbation(
        lambda x: extractor(x)[LOGITS].float().cpu(), to_inputs(images), criteria=criteria, resizes=resizes, eps=eps,
        steps=steps, seed=seed, control=control,
    )  # fmt: skip


def universal_perturbation(
    network: Callable[[Tensor], Tensor],
    inputs: Tensor,
    *,
    criteria: Sequence[Criterion],
    resizes: Sequence[tuple[Tensor, Tensor]],
    eps: int,
    steps: int,
    seed: int = 0,
    control: Control = Control(),
) -> UniversalPerturbation:
    """Search one change of at most ``eps`` levels that fools on all inputs.

    ``network``: RGB (N, 3, h, w) in [0, 1] to logits (N, classes) on the CPU; ``inputs`` (N, 3, h, w) in [0, 1];
    ``criteria``: when each is fooled; ``resizes``: for each the matrices (h, h) and (w, w) that carry a change, along
    both axes, through the file to the network; ``steps`` rounds, in an order drawn from ``seed``.
    """
    search = _Search(network, inputs, criteria, resizes, [QueryCount() for _ in criteria])
    generator = torch.Generator().manual_seed(seed)
    change = best = torch.zeros(inputs.shape[1:])
    highest = search.fooling_rate(change)
    for number in range(steps):
        for index in torch.randperm(len(inputs), generator=generator).tolist():
            change = search.beyond_boundary(index, change, eps)
        rate = search.fooling_rate(change)
        control.report(number + 1, steps, f"{rate:.0%} fooled")
        if rate > highest:
            best, highest = change.round(), rate
        if highest == 1:
            break
    return UniversalPerturbation(best.to(torch.int16), highest, search.queries)


@dataclass(frozen=True)
class _Search:
    """What the change is sought on: see ``universal_perturbation``."""

    network: Callable[[Tensor], Tensor]
    inputs: Tensor
    criteria: Sequence[Criterion]
    resizes: Sequence[tuple[Tensor, Tensor]]
    queries: list[QueryCount]

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
