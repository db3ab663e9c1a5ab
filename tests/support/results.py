"""Small results of every public kind, of one network with random weights, computed once a session."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import cnnviz
from cnnviz import Geometry, Network
from cnnviz.attribution.occlusion import EngineOptions
from cnnviz.dense.crop import Crops
from cnnviz.dense.crop_score import ScoredCrop
from cnnviz.models.segmenter import Segmenter
from tests.support.colorizers import colorizer
from tests.support.depth_networks import Brightness, estimator
from tests.support.scenes import clip_frames, clip_of

SIDE = 32
NAMES = tuple(f"kind {number}" for number in range(10))
LONG = tuple(f"{number} " + "a class with a very long name, " * 4 for number in range(10))  # over 120 characters
FOREIGN = ("قطة صغيرة", "小猫和狗", *NAMES[2:4], "قطة", *LONG[5:])
SHAPES = {"wide": (100, 600), "tall": (600, 100), "tiny": (20, 30), "grey": (90, 120)}


@cache
def network(names: tuple[str, ...] = NAMES) -> Network:
    """Ten classes, two convolutions and two of 1 x 1; takes inputs of any size."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        first = nn.Conv2d(3, 12, 5, 2, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 24, 3, 1, 1), nn.ReLU()
        last = nn.Conv2d(24, 20, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(20, 10)
    last[-1].weight.data *= 40
    return Network.from_module(nn.Sequential(*first, *last), (SIDE, SIDE), (0.5,) * 3, (0.25,) * 3, names)


@cache
def photo(kind: str) -> np.ndarray:
    """Smooth colours with some noise; grey: three equal channels."""
    height, width = SHAPES[kind]
    rng = np.random.default_rng(5)
    ys, xs = np.mgrid[:height, :width] / max(height, width)
    values = np.stack([ys, xs, np.sin(9 * xs) ** 2], -1) * 200 + rng.integers(0, 50, (height, width, 3))
    values = values.astype(np.uint8)
    return values[..., :1].repeat(3, 2) if kind == "grey" else values


@cache
def inputs(kind: str, mode: str = "crop", names: tuple[str, ...] = NAMES) -> tuple[Tensor, Geometry]:
    """The input of the network and its place on a photo."""
    return cnnviz.fit(photo(kind), network(names), mode)


@cache
def occlusion(kind: str, count: int = 1, mode: str = "crop", names: tuple[str, ...] = NAMES):
    """An occlusion of the first ``count`` classes, with the activation of a layer."""
    x, _ = inputs(kind, mode, names)
    return cnnviz.occlusion(network(names), x, window=step(x), stride=step(x), targets=range(count),
                            options=EngineOptions("plain", "4"))  # fmt: skip


@cache
def heat(kind: str, count: int = 1, mode: str = "crop", names: tuple[str, ...] = NAMES, sizes: tuple[int, ...] = (64,)):
    """Heat maps of the first ``count`` classes."""
    return cnnviz.heat(network(names), photo(kind), targets=range(count), sizes=sizes, fit_mode=mode)


def step(x: Tensor) -> int:
    """Window and stride of an occlusion: a quarter of the network's own input, a tenth of a larger one."""
    return max(8, max(x.shape) // 10)


@cache
def attributions(kind: str, count: int = 1, mode: str = "crop", names: tuple[str, ...] = NAMES, methods: int = 1):
    """Attributions of the first ``count`` classes by some methods."""
    chosen = ["grad-cam", "integrated-gradients", "smoothgrad", "guided", "gradient"][:methods]
    x, _ = inputs(kind, mode, names)
    settings = cnnviz.MethodSettings(steps=4, samples=2)
    return [cnnviz.attribute(network(names), x, method=name, targets=range(count), settings=settings)
            for name in chosen]  # fmt: skip


@cache
def evaluation(kind: str, count: int = 1, mode: str = "crop", names: tuple[str, ...] = NAMES, masked: bool = False):
    """An evaluation of the occlusion of the first ``count`` classes, with the sanity check if ``masked``."""
    found, (x, geometry) = occlusion(kind, count, mode, names), inputs(kind, mode, names)
    mask = np.zeros(photo(kind).shape[:2], bool)
    mask[mask.shape[0] // 4 : mask.shape[0] // 2, mask.shape[1] // 3 : mask.shape[1] // 2] = True
    more: dict[str, Any] = {
        "mask": mask, "compute": lambda network: cnnviz.occlusion(
            network, x, window=step(x), stride=step(x), targets=range(count)).maps,
    }  # fmt: skip
    settings = cnnviz.EvaluationSettings(steps=5, shifts=2, stages=2)
    return cnnviz.evaluate(network(names), x, found.maps, found.targets, geometry=geometry, settings=settings,
                           **(more if masked else {}))  # fmt: skip


@cache
def activations(kind: str, mode: str = "crop"):
    """The maps of the second convolution."""
    return cnnviz.activations(network(), inputs(kind, mode)[0], layer="4")


@cache
def kernels(layer: str = "0"):
    """The filters of a convolution: 0 over RGB, 3 in pairs, 5 of 1 x 1."""
    return cnnviz.kernels(network(), layer=layer)


@cache
def projections(kind: str, count: int = 1, mode: str = "crop"):
    """Projections of the first channels of the second convolution."""
    x, _ = inputs(kind, mode)
    return [cnnviz.deconvnet(network(), x, layer="4", channel=channel) for channel in range(count)]


@cache
def top_images(maps: int = 1, k: int = 2):
    """The photos of SHAPES that activate the first maps."""
    return cnnviz.top_images(network(), [photo(kind) for kind in SHAPES], layer="4", channels=range(maps), k=k)


@cache
def ranking(count: int = 4, rating: bool = False):
    """The photos of SHAPES in order."""
    return cnnviz.rank(network(), [photo(kind) for kind in SHAPES][:count], rating=rating, fit="squash")


@cache
def thumbnails(count: int = 3):
    """One frame of a clip of scenes, ``count`` times as if they were different."""
    found = cnnviz.thumbnail(network(), clip_of(clip_frames()[0]), count=1, fit="squash")
    frames = [replace(found.frames[0], index=9 * at, time=0.9 * at, score=1.5 - at) for at in range(count)]
    return replace(found, frames=tuple(frames[::-1]))


@cache
def segmenter():
    """Three classes: which of red, green and blue is strongest."""
    layer = nn.Conv2d(3, 3, 1)
    layer.weight.data, layer.bias.data = 20 * torch.eye(3)[..., None, None], torch.zeros(3)
    return Segmenter.from_module(layer, (SIDE, SIDE), (0.0,) * 3, (1.0,) * 3, ("red", "green", "blue"))


@cache
def segmentation(kind: str = "wide"):
    """The classes of a photo."""
    return cnnviz.segment(segmenter(), photo(kind))


@cache
def depth(kind: str = "wide"):
    """The brightness of a photo, as inverse depth."""
    return cnnviz.depth(estimator(Brightness(), SIDE), photo(kind))


@cache
def colorization(kind: str = "wide"):
    """Red and green by the lightness of a photo."""
    return cnnviz.colorize(colorizer(), photo(kind))


@cache
def crops():
    """A crop of a photo."""
    return Crops((ScoredCrop((0, 0, 20, 10), -0.5, 0.9, 0.8),), 1, 300, photo("wide"), network=network())


@cache
def attack(kind: str, names: tuple[str, ...] = NAMES):
    """The smallest change of a photo."""
    return cnnviz.attack_photo(network(names), photo(kind), settings=cnnviz.AttackSettings(steps=5))


@cache
def patch(kind: str = "grey", names: tuple[str, ...] = NAMES):
    """A patch in the middle of a photo."""
    height, width = photo(kind).shape[:2]
    y, x, reach = height // 2, width // 2, min(height, width) // 5
    region = f"{x - reach},{y - reach} {x + reach},{y - reach} {x + reach},{y + reach} {x - reach},{y + reach}"
    own = network(names)
    first = int(own(inputs(kind, "crop", names)[0])[0].argmax())
    return cnnviz.patch(own, photo(kind), region, (first + 1) % 10, steps=2)


@cache
def robustness():
    """The curve of the photos of SHAPES."""
    return cnnviz.robustness(network(), [photo(kind) for kind in ("tiny", "grey")], eps=2)


@cache
def styled(content: str, style: str, done: int = 1):
    """A photo of SHAPES in the style of another, stopped after ``done`` of two steps."""
    seen: list[int] = []
    control = cnnviz.Control(report=lambda count, *_: seen.append(count), stopped=lambda: len(seen) == done)
    settings = cnnviz.StyleSettings(long_side=SIDE, steps=2, style_layers={"pixels": 1}, content_layers={"4": 1})
    return cnnviz.style_transfer(network(), photo(content), [photo(style)], settings=settings, control=control)


@cache
def visualization(count: int = 1, diversity: int = 1):
    """Images of the first channels."""
    settings = cnnviz.VisualizeSettings(diversity=diversity, size=SIDE, steps=1)
    return cnnviz.visualize(network(), "4", range(count), settings=settings)


@cache
def classes(count: int = 1, names: tuple[str, ...] = NAMES):
    """Images of the first classes."""
    settings = cnnviz.ClassSettings("plain", size=SIDE, steps=1)
    return [cnnviz.inceptionism(network(names), target, settings=settings) for target in range(count)]


ALL = {
    "Occlusion": lambda: occlusion("grey"),
    "Attribution": lambda: attributions("grey")[0],
    "Evaluation": lambda: evaluation("grey"),
    "Activations": lambda: activations("grey"),
    "Kernels": kernels,
    "Projection": lambda: projections("grey")[0],
    "TopImages": top_images,
    "Heat": lambda: heat("grey"),
    "Ranking": ranking,
    "Thumbnails": thumbnails,
    "Segmentation": segmentation,
    "Depth": depth,
    "Colorization": colorization,
    "Crops": crops,
    "PhotoAttack": lambda: attack("grey"),
    "PatchResult": patch,
    "RobustnessCurve": robustness,
    "Visualization": visualization,
    "ClassVisualization": lambda: classes()[0],
}
