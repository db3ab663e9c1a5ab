"""Occlusion sensitivity: cover a part of the picture, and see how much the network minds.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2013 (arXiv:1311.2901), section 4.2.
We depart from the paper in one thing: it draws the score at each place of the window's centre; we draw, at each
pixel, the mean drop of the score over the windows that cover it, as captum does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnviz.attribution import occlusion_engines
from cnnviz.attribution.occlusion_engines import OccludedLogits
from cnnviz.attribution.windows import Border, WindowGrid
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.network import Network

Fill = Literal["grey", "mean", "black", "white", "blur", "noise"]
Score = Literal["probability", "logit"]


@dataclass(frozen=True)
class StrongestMap:
    """The strongest feature map of a layer: its ``channel``, and its sums.

    Strongest is the one whose sum on the uncovered input is largest. ``map`` (h, w) of the layer is that one;
    ``totals`` (positions,) its sum with the window at each place, NaN where not done.
    """

    layer: str
    channel: int
    map: Tensor
    totals: Tensor


@dataclass(frozen=True)
class Occlusion:
    """What a network answers with a window over each place of its input.

    ``logits`` (positions, classes), NaN where the work was stopped before; ``clean_logits`` (classes,) of the
    uncovered input; ``positions`` (positions, 2) top-left y, x on the input, row-major; ``maps`` (targets, h, w) the
    mean drop of the score over the windows that cover a pixel, NaN where none does; ``targets`` class indices;
    ``grid`` the windows; ``engine`` that did it and ``engine_reason`` why; ``batch`` positions at a time; ``answers``
    to go on from; ``activation`` of the layer that was asked for.
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

    @property
    def window(self) -> int:
        """Side of the window, in pixels of the input."""
        return self.grid.window

    @property
    def stride(self) -> int:
        """Pixels of the input from one place to the next."""
        return self.grid.tops.step

    @property
    def done(self) -> Tensor:
        """Which positions were done, (positions,) bool; all of them unless the work was stopped."""
        return self.answers.done


def occlusion(
    network: Network,
    inputs: Tensor,
    *,
    window: int = 48,
    stride: int = 16,
    fill: Fill = "blur",
    targets: Sequence[int] | None = None,
    score: Score = "probability",
    border: Border = "overhang",
    engine: occlusion_engines.Kind = "auto",
    layer: str | None = None,
    seed: int = 0,
    known: OccludedLogits | None = None,
    stop: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> Occlusion:
    """Slide a window over an input and record every answer of the network.

    ``inputs`` (1, 3, h, w), RGB in [0, 1]. ``window`` and ``stride`` in pixels of the input. ``fill`` is what the
    window shows: grey (0.5), the network's mean, black, white, the input blurred, or uniform noise from ``seed``.
    ``targets`` are class indices, by default the network's own first. The map of a target is the mean over the
    windows w that cover a pixel of score(x) - score(x covered by w), where the score is the softmax probability or
    the logit. ``border`` "inside": windows start at multiples of the stride, the last one cut off at the border;
    "overhang": they start a window's length before it, so that border pixels are covered as often as the others.
    The defaults are those whose maps lie best on the thing (benchmarks/defaults.py); the paper's fill is grey, captum's
    windows are inside. ``engine`` "plain" is one pass per position, "incremental" computes what a window changes and
    gives the same up to rounding, "auto" takes that where it gains. ``layer`` names one whose strongest feature map is
    to be summed.

    Positions are done from coarse to fine. ``stop`` is asked after each batch; what is not done then is NaN.
    ``known`` are the answers of a run of the same settings that was stopped, to go on from; they are filled in.
    ``progress`` is told (done, positions), ``note`` that memory ran short and the batch was halved.
    """
    _check(
        inputs,
        fill=(fill, Fill),
        score=(score, Score),
        border=(border, Border),
        engine=(engine, occlusion_engines.Kind),
    )
    grid = WindowGrid.over((inputs.shape[-2], inputs.shape[-1]), window, stride, border)
    with torch.inference_mode():
        x = inputs.to(network.device)
        clean = network(x)[0].cpu()
        if not torch.isfinite(clean).all():
            raise MethodError(f"{network.name} gave logits that are not finite numbers: are these its weights?")
        chosen = tuple(targets) if targets is not None else (int(clean.argmax()),)
        if any(not 0 <= index < len(clean) for index in chosen):
            raise InvalidRequest(f"classes {chosen}: {network.name} has {len(clean)}, counted from 0")
        cover = occluder(x, fill, network, seed)
        answering = occlusion_engines.choose_engine(engine, network.folded, x, cover, grid, layer)
        found = known or OccludedLogits.none(len(grid.positions), len(clean))
        if (found.logits.shape, found.totals.shape) != ((len(grid.positions), len(clean)), (len(grid.positions),)):
            raise MethodError("the answers to go on from are of another grid or network")
        batch = occlusion_engines.occluded_logits(answering, grid, found, stop=stop, progress=progress, note=note)
    drops = _scores(clean[None], chosen, score) - _scores(found.logits, chosen, score)
    activation = StrongestMap(layer, *answering.strongest, found.totals) if layer and answering.strongest else None
    return Occlusion(
        found.logits, clean, torch.tensor(grid.positions), grid.mean(drops.T), chosen, grid,
        answering.name, answering.reason, batch, found, activation,
    )  # fmt: skip


def _check(inputs: Tensor, **choices: tuple[str, object]) -> None:
    if inputs.dim() != 4 or len(inputs) != 1:
        raise InvalidRequest(f"occlusion takes one input (1, 3, h, w), not {tuple(inputs.shape)}")
    for name, (value, kinds) in choices.items():
        if value not in get_args(kinds):
            raise InvalidRequest(f"{name} {value!r}: take one of {', '.join(get_args(kinds))}")


def occluder(x: Tensor, fill: Fill, network: Network, seed: int = 0) -> Tensor:
    """Return what shows under the window, (1, 3, h, w): the window is cut out of this picture."""
    if fill == "blur":
        return _blur(x)
    if fill == "noise":
        generator = torch.Generator().manual_seed(seed)
        return torch.rand(x.shape, generator=generator).to(x)
    levels = {"grey": (0.5,) * 3, "black": (0.0,) * 3, "white": (1.0,) * 3, "mean": network.recipe.mean}
    return x.new_tensor(levels[fill]).view(1, 3, 1, 1).expand_as(x)


def _blur(x: Tensor) -> Tensor:
    """Blur with a Gaussian whose deviation is a twentieth of the shorter side: no detail survives, colours do."""
    sigma = min(x.shape[-2:]) / 20
    radius = min(int(3 * sigma), min(x.shape[-2:]) - 1)
    steps = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(3, 1, -1)
    x = F.conv2d(F.pad(x, (radius, radius, 0, 0), "reflect"), kernel[:, :, None, :], groups=3)
    return F.conv2d(F.pad(x, (0, 0, radius, radius), "reflect"), kernel[:, :, :, None], groups=3)


def _scores(logits: Tensor, targets: tuple[int, ...], score: Score) -> Tensor:
    """Return the scores (positions, targets) of logits (positions, classes), in float64."""
    values = logits.double()
    return (values.softmax(1) if score == "probability" else values)[:, list(targets)]
