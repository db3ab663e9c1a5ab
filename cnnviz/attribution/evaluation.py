"""Evaluation of attribution maps: deletion and insertion, the pointing game, the sanity check, in one call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.attribution.deletion_insertion import DeletionInsertion, deletion_insertion
from cnnviz.attribution.fills import Fill, occluder
from cnnviz.attribution.pointing_game import PointingGame, pointing_game, pointing_game_on_photo
from cnnviz.attribution.sanity_check import SanityCheck, sanity_check
from cnnviz.control import Control
from cnnviz.models.network import Network
from cnnviz.models.preprocess import Geometry
from cnnviz.models.result import InputResult


@dataclass(frozen=True)
class EvaluationSettings:
    """Settings of an evaluation.

    ``steps`` of deletion and of insertion; their baselines; ``shifts``, how often each map is also measured shifted at
    random; ``tolerance`` of the pointing game in pixels; ``stages`` of the sanity check; ``seed`` of all randomness.
    """

    steps: int = 50
    deletion_baseline: Fill = "grey"
    insertion_baseline: Fill = "blur"
    shifts: int = 3
    tolerance: int = 15
    stages: int = 5
    seed: int = 0


@dataclass(frozen=True)
class CurveScore:
    """The area under a map's curve; ``normalized`` by the probability of the unchanged input, None where that is 0.

    ``shifted_auc`` is the mean area of the shifted maps, ``shifted_range`` the smallest and the largest.
    """

    auc: float
    normalized: float | None
    shifted_auc: float
    shifted_range: tuple[float, float]


@dataclass(frozen=True)
class RandomizationStage:
    """One stage of the sanity check: the lowest randomised layer, and rank correlations with the trained map."""

    down_to: str
    signed: float
    absolute: float


@dataclass(frozen=True)
class MapScores:
    """The scores of one map; ``probability`` of its class ``target`` for the unchanged input.

    ``pointing`` if there was a mask; ``randomization`` if the maps could be computed again.
    """

    target: int
    class_name: str
    probability: float
    deletion: CurveScore
    insertion: CurveScore
    pointing: PointingGame | None = None
    randomization: tuple[RandomizationStage, ...] | None = None


@dataclass(frozen=True)
class Evaluation(InputResult):
    """The scores of all maps, in their order, and the curves behind them.

    ``maps``, ``mask``, ``geometry`` and ``settings`` as given.
    """

    scores: tuple[MapScores, ...]
    curves: DeletionInsertion
    maps: Tensor | None = field(default=None, repr=False, compare=False)
    mask: NDArray[np.bool_] | None = field(default=None, repr=False, compare=False)
    geometry: Geometry | None = None
    settings: EvaluationSettings = EvaluationSettings()


def evaluate(
    network: Network,
    inputs: Tensor,
    maps: Tensor,
    targets: Sequence[int],
    *,
    mask: NDArray[np.bool_] | None = None,
    geometry: Geometry | None = None,
    compute: Callable[[Network], Tensor] | None = None,
    settings: EvaluationSettings = EvaluationSettings(),
    control: Control = Control(),
) -> Evaluation:
    """Evaluate attribution maps of an input.

    Parameters
    ----------
    network : Network
    inputs : Tensor, shape (1, 3, h, w)
        RGB in [0, 1].
    maps : Tensor, shape (maps, h, w)
        Maps on the input.
    targets : sequence of int
        The class of each map.
    mask : ndarray of bool, optional
        Where the object is; with it the pointing game is played.
    geometry : Geometry, optional
        With the photo's geometry, the mask is (H, W) on the photo, and the tolerance is in pixels of the photo scaled
        to a longer side of 500; without it both are on the input.
    compute : callable, optional
        Returns the maps of a network. With it the sanity check tests whether the maps depend on the weights.
    settings : EvaluationSettings, default EvaluationSettings()
        Steps, baselines, shifts, tolerance, stages and seed.
    control : Control, default Control()
        Gets the progress of each part with its name.

    Returns
    -------
    Evaluation
        ``scores`` of all maps, in their order, and the ``curves`` behind them.

    Raises
    ------
    InvalidRequest
        For shapes, classes and settings that do not fit.
    MethodError
        Where a map or the network cannot be evaluated.

    Notes
    -----
    A faithful map has a small deletion and a large insertion area [1]_ compared with the same map shifted. The pointing
    game is that of [2]_, the sanity check that of [3]_; the modules of the three state where they depart.

    References
    ----------
    .. [1] Petsiuk, Das & Saenko, "RISE", 2018 (arXiv:1806.07421), section 4.2.
    .. [2] Zhang et al., "Top-down Neural Attention by Excitation Backprop", 2016 (arXiv:1608.00507), section 5.1.
    .. [3] Adebayo et al., "Sanity Checks for Saliency Maps", 2018 (arXiv:1810.03292), section 3.

    Examples
    --------
    >>> network = cnnviz.load_network()
    >>> inputs, _ = cnnviz.fit(cnnviz.read_photo("sample_images/coffee.jpg"), network)
    >>> found = cnnviz.occlusion(network, inputs)
    >>> score = cnnviz.evaluate(network, inputs, found.maps, found.targets).scores[0]
    """
    curves = deletion_insertion(
        network, inputs, maps, targets=targets,
        deletion_baseline=occluder(inputs, settings.deletion_baseline, network, settings.seed),
        insertion_baseline=occluder(inputs, settings.insertion_baseline, network, settings.seed),
        steps=settings.steps, shifts=settings.shifts, seed=settings.seed,
        control=control.named("deleting and inserting"),
    )  # fmt: skip
    pointing = [_pointing(values, mask, geometry, settings.tolerance) for values in maps]
    check = None
    if compute:
        control = control.named("randomizing")
        check = sanity_check(network, compute, maps, stages=settings.stages, seed=settings.seed, control=control)
    scores = []
    for index, target in enumerate(targets):
        clean = float(curves.clean[index])
        deletion = _curve_score(curves.shares, curves.deletion[index], curves.shifted_deletion[index], clean)
        insertion = _curve_score(curves.shares, curves.insertion[index], curves.shifted_insertion[index], clean)
        stages, name = _stages(check, index) if check else None, network.class_name(target)
        scores.append(MapScores(target, name, clean, deletion, insertion, pointing[index], stages))
    return Evaluation(tuple(scores), curves, maps, mask, geometry, settings, network=network, inputs=inputs)


def _pointing(
    values: Tensor, mask: NDArray[np.bool_] | None, geometry: Geometry | None, tolerance: int
) -> PointingGame | None:
    if mask is None:
        return None
    if geometry is None:
        return pointing_game(values, torch.from_numpy(mask), tolerance=tolerance)
    return pointing_game_on_photo(values, mask, geometry, tolerance=tolerance)


def _curve_score(shares: Tensor, curve: Tensor, shifted: Tensor, clean: float) -> CurveScore:
    """Return the areas under a map's curve (steps + 1,) and the shifted maps' (shifts, steps + 1)."""
    own, others = float(torch.trapezoid(curve, shares)), torch.trapezoid(shifted, shares)
    normalized = own / clean if clean > 0 else None
    return CurveScore(own, normalized, float(others.mean()), (float(others.min()), float(others.max())))


def _stages(check: SanityCheck, index: int) -> tuple[RandomizationStage, ...]:
    signed, absolute = check.signed[:, index].tolist(), check.absolute[:, index].tolist()
    return tuple(map(RandomizationStage, check.down_to, signed, absolute))
