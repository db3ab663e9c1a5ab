"""Occlusion sensitivity: the drop of the class score when a window covers a part of the input.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2013 (arXiv:1311.2901), section 4.2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.attribution.class_score import SCORES, Score, class_scores, resolve_targets
from cnnviz.attribution.fills import FILLS, Fill, occluder
from cnnviz.attribution.occlusion_engines import EngineName, OccludedLogits, choose_engine, occluded_logits
from cnnviz.attribution.windows import Border, WindowGrid
from cnnviz.control import Control
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.network import Network, require_finite
from cnnviz.models.result import InputResult

KEPT = ("logits", "totals")  # names of the arrays that a stopped run is resumed from


@dataclass(frozen=True)
class EngineOptions:
    """How the occluded logits are computed.

    ``engine`` "plain" is one forward pass per position, "incremental" computes only what a window changes and gives
    the same up to rounding, "auto" takes that where it is faster. ``layer`` names one whose strongest feature map is
    summed. ``resume_from`` are the answers of a stopped run with the same settings; they are filled in. ``seed`` of
    the fill "noise".
    """

    engine: EngineName = "auto"
    layer: str | None = None
    resume_from: OccludedLogits | None = None
    seed: int = 0

    def resuming(self, kept: Mapping[str, NDArray[Any]] | None) -> "EngineOptions":
        """Return the options that resume from ``kept`` arrays of a stopped run, if there are any."""
        return (
            replace(self, resume_from=OccludedLogits(*(torch.from_numpy(kept[name]) for name in KEPT)))
            if kept
            else self
        )


@dataclass(frozen=True)
class StrongestMap:
    """The strongest feature map of a layer: the one whose sum is largest for the uncovered input.

    ``map`` (h, w) of ``channel``; ``totals`` (positions,) its sum with the window at each position, NaN where not
    computed.
    """

    layer: str
    channel: int
    map: Tensor
    totals: Tensor


@dataclass(frozen=True)
class Occlusion(InputResult):
    """The logits of an input with a window at every position, and the maps computed from them.

    ``logits`` (positions, classes), NaN where the run was stopped before; ``clean_logits`` (classes,) of the
    uncovered input; ``positions`` (positions, 2) top-left y, x on the input, row-major; ``maps`` (targets, h, w) the
    mean drop of the score over the windows that cover a pixel, NaN where none does; ``targets`` class indices;
    ``grid`` the windows; ``engine`` used and ``engine_reason`` why; ``batch`` the largest number of positions computed
    at once; ``answers`` to resume from; ``activation`` of the layer that was named; ``score`` and ``fill`` as given.
    """

    logits: Tensor
    clean_logits: Tensor
    positions: Tensor
    maps: Tensor
    targets: tuple[int, ...]
    grid: WindowGrid
    engine: str
    engine_reason: str
    batch: int
    answers: OccludedLogits
    activation: StrongestMap | None = None
    score: Score = "probability"
    fill: str = "blur"

    @property
    def window(self) -> int:
        """Side of the window, in pixels of the input."""
        return self.grid.window

    @property
    def stride(self) -> int:
        """Step between two positions, in pixels of the input."""
        return self.grid.tops.step

    @property
    def kept(self) -> dict[str, NDArray[Any]]:
        """The arrays that a stopped run is resumed from."""
        return dict(zip(KEPT, (self.logits.numpy(), self.answers.totals.numpy()), strict=True))

    @property
    def done(self) -> Tensor:
        """Which positions are computed, (positions,) bool: all of them unless the run was stopped."""
        return self.answers.done


def occlusion(
    network: Network,
    inputs: Tensor,
    *,
    window: int = 48,
    stride: int = 16,
    fill: Fill | Tensor = "blur",
    targets: Sequence[int] | None = None,
    score: Score = "probability",
    border: Border = "overhang",
    options: EngineOptions = EngineOptions(),
    control: Control = Control(),
) -> Occlusion:
    """Slide a window over an input and compute the drop of the class score.

    Parameters
    ----------
    network : Network
    inputs : Tensor, shape (1, 3, h, w)
        RGB in [0, 1].
    window, stride : int, defaults 48 and 16
        Side of the window, and step between two positions, in pixels of the input.
    fill : str or Tensor, default "blur"
        What the window shows (captum: baseline): "grey" (0.5), the network's "mean", "black", "white", the input
        blurred ("blur"), uniform "noise", or an image of the input's shape.
    targets : sequence of int, optional
        Class indices; by default the top class.
    score : {"probability", "logit"}, default "probability"
        The softmax probability or the logit.
    border : {"overhang", "inside"}, default "overhang"
        "inside": windows start at multiples of the stride, the last one cut off at the border. "overhang": the first
        starts before the border, so that border pixels are covered as often as the others.
    options : EngineOptions, default EngineOptions()
        The engine, a layer whose strongest feature map is summed, the result of a stopped run to resume, and the seed
        of the fill "noise".
    control : Control, default Control()
        Gets (done, positions), and a note if memory ran short. It is asked to stop after each batch; results are NaN at
        the positions not computed then.

    Returns
    -------
    Occlusion
        ``maps`` (targets, h, w), and the ``logits`` (positions, classes) that they are computed from.

    Raises
    ------
    InvalidRequest
        For settings that do not fit.
    MethodError
        Where a network or an input cannot be used.

    Notes
    -----
    A target's map is, at each pixel, the mean of score(x) - score(x covered by w) over the windows w that cover the
    pixel, as in captum; the paper [1]_ draws the score at each position of the window's centre. The paper's fill is
    grey, captum's windows are inside; the defaults are those whose maps lie best on the object
    (benchmarks/defaults.py). Positions are computed from coarse to fine.

    References
    ----------
    .. [1] Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2013 (arXiv:1311.2901), section 4.2.

    Examples
    --------
    >>> network = cnnviz.load_network()
    >>> inputs, geometry = cnnviz.fit(cnnviz.read_photo("sample_images/coffee.jpg"), network)
    >>> drop = geometry.to_photo(cnnviz.occlusion(network, inputs).maps[0].numpy())  # (400, 600), NaN outside the crop
    """
    _check(network, inputs, window, fill)
    _check_choice("score", score, SCORES)
    _check_choice("border", border, get_args(Border))
    _check_choice("engine", options.engine, get_args(EngineName))
    grid = WindowGrid.over((inputs.shape[-2], inputs.shape[-1]), window, stride, border)
    with torch.inference_mode():
        x = inputs.to(network.device)
        clean = network(x)[0].cpu()
        require_finite(network.name, clean)
        chosen = resolve_targets(network, clean, targets)
        cover = fill.to(x) if isinstance(fill, Tensor) else occluder(x, fill, network, options.seed)
        positions = len(grid.positions)
        control.report(0, positions, "planning")
        engine = choose_engine(options.engine, network.folded, x, cover, grid, options.layer)
        answers = options.resume_from or OccludedLogits.none(positions, len(clean))
        if (answers.logits.shape, answers.totals.shape) != ((positions, len(clean)), (positions,)):
            raise MethodError("the result to resume from belongs to another grid or network")
        batch = occluded_logits(engine, grid, answers, control)
    uncovered, covered = (class_scores(logits.double(), score) for logits in (clean[None], answers.logits))
    drops = (uncovered - covered)[:, list(chosen)]
    strongest = engine.strongest if options.layer else None
    activation = StrongestMap(str(options.layer), *strongest, answers.totals) if strongest else None
    return Occlusion(
        answers.logits, clean, torch.tensor(grid.positions), grid.mean(drops.T), chosen, grid,
        engine.name, engine.reason, batch, answers, activation, score, "custom" if isinstance(fill, Tensor) else fill,
        network=network, inputs=inputs,
    )  # fmt: skip


def _check(network: Network, inputs: Tensor, window: int, fill: Fill | Tensor) -> None:
    if inputs.dim() != 4 or len(inputs) != 1:
        raise InvalidRequest(f"occlusion takes one input (1, 3, h, w), not {tuple(inputs.shape)}")
    if not isinstance(fill, Tensor):
        _check_choice("fill", fill, FILLS)
    elif fill.shape != inputs.shape:
        raise InvalidRequest(f"a fill {tuple(fill.shape)} for an input {tuple(inputs.shape)}: shapes must agree")
    height, width = inputs.shape[-2:]
    if window > min(height, width):
        wrong = InvalidRequest if (height, width) == network.size else MethodError  # another photo may be larger
        raise wrong(f"the window of {window} pixels is larger than the network's input of {width}x{height}")


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise InvalidRequest(f"{name} {value!r}: take one of {', '.join(choices)}")
