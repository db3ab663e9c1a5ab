"""Occlusion sensitivity: cover a part of the picture, and see how much the network minds.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2013 (arXiv:1311.2901), section 4.2.
We depart from the paper in one thing: it draws the score at each place of the window's centre; we draw, at each
pixel, the mean drop of the score over the windows that cover it, as captum does.
"""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnviz.errors import MethodError, UsageMistake
from cnnviz.models import Network
from cnnviz.models.network import memory_errors

Fill = Literal["grey", "mean", "black", "white", "blur", "noise"]
Score = Literal["probability", "logit"]
Border = Literal["inside", "overhang"]
Engine = Literal["auto", "plain"]

# Pixels at a time. On a processor few are fastest (benchmarks/forward.py); a GPU wants many.
CPU_PIXELS = 4 * 224 * 224
GPU_PIXELS = 256 * 224 * 224


@dataclass(frozen=True)
class Occlusion:
    """What a network answers with a window over each place of its input.

    ``logits`` (positions, classes); ``clean_logits`` (classes,) of the uncovered input; ``positions`` (positions, 2)
    top-left y, x on the input, row-major; ``maps`` (targets, h, w) the mean drop of the score over the windows that
    cover a pixel, NaN where none does; ``targets`` class indices; ``window``, ``stride`` in pixels of the input;
    ``engine`` that did it and ``engine_reason`` why; ``batch`` positions at a time.
    """

    logits: Tensor
    clean_logits: Tensor
    positions: Tensor
    maps: Tensor
    targets: tuple[int, ...]
    window: int
    stride: int
    engine: str
    engine_reason: str
    batch: int


def occlusion(
    network: Network,
    inputs: Tensor,
    *,
    window: int = 32,
    stride: int = 16,
    fill: Fill = "grey",
    targets: Sequence[int] | None = None,
    score: Score = "probability",
    border: Border = "inside",
    engine: Engine = "auto",
    seed: int = 0,
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
    ``progress`` is told (done, positions), ``note`` that memory ran short and the batch was halved.
    """
    if inputs.dim() != 4 or len(inputs) != 1:
        raise UsageMistake(f"occlusion takes one input (1, 3, h, w), not {tuple(inputs.shape)}")
    for name, value, kinds in (("fill", fill, Fill), ("score", score, Score), ("border", border, Border),
                               ("engine", engine, Engine)):  # fmt: skip
        if value not in get_args(kinds):
            raise UsageMistake(f"{name} {value!r}: take one of {', '.join(get_args(kinds))}")
    height, width = inputs.shape[-2:]
    places = positions(height, width, window, stride, border)
    with torch.inference_mode():
        x = inputs.to(network.device)
        clean = network(x)[0]
        chosen = tuple(targets) if targets is not None else (int(clean.argmax()),)
        if any(not 0 <= index < len(clean) for index in chosen):
            raise UsageMistake(f"classes {chosen}: {network.name} has {len(clean)}, counted from 0")
        cover = filling(x, fill, network, seed)
        logits, batch = _answers(network.folded, x, cover, places, window, progress or _ignore, note or _ignore)
        if not (torch.isfinite(logits).all() and torch.isfinite(clean).all()):
            raise MethodError(f"{network.name} gave logits that are not finite numbers: are these its weights?")
        drops = _scores(clean[None], chosen, score) - _scores(logits, chosen, score)
        maps = mean_over_windows(drops.T.cpu(), places, window, (height, width))
    return Occlusion(
        logits.cpu(), clean.cpu(), torch.tensor(places), maps, chosen, window, stride,
        "plain", "a full forward pass per position", batch,
    )  # fmt: skip


def _ignore(*_: object) -> None:
    return None


def positions(height: int, width: int, window: int, stride: int, border: Border = "inside") -> list[tuple[int, int]]:
    """Return the windows' top-left corners (y, x) in pixels of the input, row-major."""
    if window < 1 or stride < 1:
        raise UsageMistake("window and stride are at least 1 pixel")
    if window > min(height, width):
        raise MethodError(f"the window of {window} pixels is larger than the network's input of {width}x{height}")

    def starts(size: int) -> range:
        if border == "overhang":
            return range(stride - window, size, stride)
        # captum's rule: ceil((size - window) / stride) + 1 windows
        return range(0, -(-(size - window) // stride) * stride + 1, stride)

    return [(y, x) for y in starts(height) for x in starts(width)]


def filling(x: Tensor, fill: Fill, network: Network, seed: int = 0) -> Tensor:
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


def _answers(
    network: Network, x: Tensor, cover: Tensor, places: list[tuple[int, int]], window: int,
    progress: Callable[[int, int], None], note: Callable[[str], None],
) -> tuple[Tensor, int]:  # fmt: skip
    """Return the logits (positions, classes) of the covered inputs, and the batch that memory allowed."""
    batch, answers, done, short = batch_size(x), [], 0, False
    while done < len(places):
        part = places[done : done + batch]
        try:
            with memory_errors():
                answers.append(network(_covered(x, cover, part, window)))
        except MemoryError:
            if batch == 1:
                raise
            batch = max(1, min(batch, len(part)) // 2)
        else:
            done += len(part)
            progress(done, len(places))
            continue
        gc.collect()  # the tensors of the failed pass hang on in the frames of its error
        if not short:
            note("memory ran short: fewer positions at a time from here on")
        short = True
    return torch.cat(answers), batch


def _covered(x: Tensor, cover: Tensor, part: list[tuple[int, int]], window: int) -> Tensor:
    covered = x.repeat(len(part), 1, 1, 1)
    for row, (top, left) in zip(covered, part, strict=True):
        spot = (slice(None), slice(max(top, 0), top + window), slice(max(left, 0), left + window))
        row[spot] = cover[0][spot]
    return covered


def batch_size(x: Tensor) -> int:
    """Return how many positions to do at a time: by input size and device alone, so that results repeat."""
    pixels = CPU_PIXELS if x.device.type == "cpu" else GPU_PIXELS
    return max(1, pixels // (x.shape[-2] * x.shape[-1]))


def _scores(logits: Tensor, targets: tuple[int, ...], score: Score) -> Tensor:
    """Return the scores (positions, targets) of logits (positions, classes), in float64."""
    values = logits.double()
    return (values.softmax(1) if score == "probability" else values)[:, list(targets)]


def mean_over_windows(drops: Tensor, places: list[tuple[int, int]], window: int, size: tuple[int, int]) -> Tensor:
    """Return the mean drop (targets, h, w) over the windows that cover each pixel; NaN where none does.

    ``drops`` (targets, positions). Sums by corners: each window adds at its four corners, and two cumulative sums
    spread that over its area.
    """
    height, width = size
    tops = torch.tensor([max(y, 0) for y, _ in places])
    lefts = torch.tensor([max(x, 0) for _, x in places])
    bottoms = torch.tensor([min(y + window, height) for y, _ in places])
    rights = torch.tensor([min(x + window, width) for _, x in places])
    values = torch.cat([drops.double(), torch.ones(1, len(places), dtype=torch.float64)])
    sums = torch.zeros(len(values), (height + 1) * (width + 1), dtype=torch.float64)
    for ys, xs, sign in ((tops, lefts, 1), (tops, rights, -1), (bottoms, lefts, -1), (bottoms, rights, 1)):
        sums.index_add_(1, ys * (width + 1) + xs, sign * values)
    total = sums.view(-1, height + 1, width + 1).cumsum(1).cumsum(2)[:, :height, :width]
    count = total[-1].round()
    return torch.where(count > 0, total[:-1] / count, torch.nan).float()
