"""Accuracy against perturbation size: the smallest level found for each photo, and that of random noise.

The attack is that of ``minimal``: steps along the sign of the gradient (Goodfellow, Shlens & Szegedy 2015, "Explaining
and Harnessing Adversarial Examples", section 3), at one level, then at two, and so on.
"""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.adversarial.criterion import Criterion, criterion_for
from cnnviz.adversarial.levels import add_levels
from cnnviz.adversarial.minimal import minimal_level
from cnnviz.adversarial.pipeline import AttackedPhoto, Source, attacked_photo
from cnnviz.adversarial.results import Top
from cnnviz.adversarial.target import Diagnostics, TargetModel, diagnose, target_model
from cnnviz.control import Control
from cnnviz.models.network import Network
from cnnviz.models.result import Drawable


@dataclass(frozen=True)
class PhotoRobustness:
    """The smallest levels at which one photo is misclassified, None where none was found.

    ``levels``: of the attack, 0 where the clean photo is misclassified; ``noise_levels``: of random noise;
    ``clean_top`` and ``top``: the first classes of the photo as it is, and at ``levels`` or nearest to it; ``passes``:
    "forward" and "backward".
    """

    network: str
    levels: int | None
    noise_levels: int | None
    clean_top: Top
    top: Top
    passes: dict[str, int]
    warnings: Diagnostics

    @property
    def fooled(self) -> bool:
        """Whether some level fools."""
        return self.levels is not None


@dataclass(frozen=True)
class RobustnessCurve(Drawable):
    """Accuracy of a network on ``photos`` photos at each level from 0 to ``eps``, in levels of 1/255.

    ``accuracy`` and ``noise_accuracy``: for each level the share of photos that neither the attack, nor random noise,
    changes the class of up to there; ``median_levels``: None beyond ``eps``; ``warned``: photos for each kind of
    diagnostic; ``ground_truth`` and ``class_name``: index and name of the class that all photos show, None where each
    photo's own first class counts as right.
    """

    network: str
    photos: int
    eps: int
    accuracy: list[float]
    noise_accuracy: list[float]
    median_levels: int | None
    passes: dict[str, int]
    warned: dict[str, int]
    ground_truth: int | None = None
    class_name: str | None = None


def robustness(
    network: Network,
    photos: Sequence[Source],
    *,
    eps: int = 8,
    ground_truth: str | int | None = None,
    fit: str = "crop",
    seed: int = 0,
    control: Control = Control(),
) -> RobustnessCurve:
    """Measure the accuracy of a network on photos against the size of a change.

    Parameters
    ----------
    network : Network
    photos : sequence of str, Path, ndarray of uint8 or StoredImage
        At least one: paths, RGB arrays (H, W, 3), or StoredImages.
    eps : int, default 8
        The largest change of a value, in levels of 1/255.
    ground_truth : str or int, optional
        The class that all photos show; by default the network's own first class of each clean photo counts as right.
    fit : str, default "crop"
        As in ``cnnviz.fit``.
    seed : int, default 0
        Seeds the random noise.
    control : Control, default Control()
        Gets (done, photos), and is asked to stop between photos; the curve is then that of the photos done.

    Returns
    -------
    RobustnessCurve
        ``accuracy`` against the attack, and ``noise_accuracy`` against random noise, at each level from 0 to ``eps``.

    Raises
    ------
    InvalidRequest
        For a class that the network lacks.
    MethodError, PhotoError
        For a photo, or a network, that cannot be attacked, and for a file that cannot be read.

    Notes
    -----
    The attack takes steps along the sign of the gradient [1]_, at one level, then at two, and so on. Accuracy is the
    share of photos whose class it does not change up to that level.

    References
    ----------
    .. [1] Goodfellow, Shlens & Szegedy, "Explaining and Harnessing Adversarial Examples", 2015, section 3.

    Examples
    --------
    >>> photos = ["sample_images/coffee.jpg", "sample_images/chelsea.jpg"]
    >>> curve = cnnviz.robustness(cnnviz.load_network(), photos, eps=2)
    >>> curve.accuracy
    [1.0, 0.0, 0.0]
    """
    rows: list[PhotoRobustness] = []
    for number, photo in enumerate(photos):
        if control.stopped():
            break
        control.report(number, len(photos))
        rows.append(photo_robustness(network, photo, eps=eps, ground_truth=ground_truth, fit=fit, seed=seed))
    return robustness_curve(network, rows, eps, ground_truth)


def photo_robustness(
    network: Network,
    photo: Source,
    *,
    eps: int = 8,
    ground_truth: str | int | None = None,
    fit: str = "crop",
    seed: int = 0,
    control: Control = Control(),
) -> PhotoRobustness:
    """Return the smallest levels, up to ``eps``, at which an attack and random noise change a photo's class."""
    attacked = attacked_photo(photo, network, fit)
    clean = attacked.clean_logits
    criterion = criterion_for(network, clean, ground_truth=ground_truth)
    model = target_model([attacked])
    wrong = criterion.is_met(clean)
    level, logits = (0, clean) if wrong else _smallest_level(attacked, model, criterion, eps, control)
    return PhotoRobustness(
        network=network.name,
        levels=level,
        noise_levels=0 if wrong else noise_level(attacked, criterion, eps, seed),
        clean_top=network.top(clean),
        top=network.top(logits),
        passes=model.queries.as_dict(),
        warnings=diagnose(attacked, model.queries, criterion.target),
    )


def _smallest_level(
    photo: AttackedPhoto, model: TargetModel, criterion: Criterion, eps: int, control: Control
) -> tuple[int | None, Tensor]:
    """Return the smallest level found that fools, None for none, and the logits (classes,) there or nearest to it."""
    values, least = torch.tensor(photo.original.values), 1
    while True:
        found = minimal_level(model, values, criterion, eps=eps, least=least, control=control)
        logits = photo.logits(photo.original.photo(found.values.numpy()))
        fools = criterion.is_met(logits)  # by the network itself, not as folded for the search
        least = max(found.level, least)
        if fools or not found.fooled or least >= eps:
            return (found.level if fools else None), logits
        least += 1


def noise_level(photo: AttackedPhoto, criterion: Criterion, eps: int, seed: int) -> int | None:
    """Return the smallest level of random signs added to a photo's values that fools; None for none."""
    values = torch.tensor(photo.original.values)
    signs = torch.randint(0, 2, values.shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    for level in range(1, eps + 1):
        noisy = photo.original.photo(add_levels(values, signs * level).numpy())
        if criterion.is_met(photo.logits(noisy)):
            return level
    return None


def robustness_curve(
    network: Network, rows: Sequence[PhotoRobustness], eps: int, ground_truth: str | int | None = None
) -> RobustnessCurve:
    """Return accuracy against level, from 0 to ``eps``, of one photo or more; ``ground_truth`` as in ``robustness``."""
    shown = None if ground_truth is None else network.class_index(str(ground_truth))
    levels = [row.levels for row in rows]
    median = statistics.median_low([level if level is not None else eps + 1 for level in levels])
    return RobustnessCurve(
        network=network.name,
        photos=len(rows),
        eps=eps,
        accuracy=_accuracy(levels, eps),
        noise_accuracy=_accuracy([row.noise_levels for row in rows], eps),
        median_levels=median if median <= eps else None,
        passes={way: sum(row.passes[way] for row in rows) for way in ("forward", "backward")},
        warned=dict(Counter(kind for row in rows for kind in row.warnings)),
        ground_truth=shown,
        class_name=None if shown is None else network.class_name(shown),
    )


def _accuracy(levels: Sequence[int | None], eps: int) -> list[float]:
    return [round(sum(level is None or level > most for level in levels) / len(levels), 6) for most in range(eps + 1)]
