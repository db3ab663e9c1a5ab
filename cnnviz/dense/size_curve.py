"""The probability of a class for a whole photo, against the size at which the network is given it."""

from collections.abc import Sequence
from dataclasses import dataclass

from cnnviz.control import Control
from cnnviz.dense.fully_convolutional import dense_logits
from cnnviz.dense.heat import whole_geometry
from cnnviz.dense.plan import dense_plan
from cnnviz.io.color import Photo
from cnnviz.models.network import Network
from cnnviz.models.preprocess import to_inputs

SIZES = (128, 160, 192, 224, 288, 352, 448, 544, 640, 768, 896)


@dataclass(frozen=True)
class SizeCurve:
    """Probabilities of one class for a photo whose shorter side has each of ``sizes`` pixels.

    ``whole``: softmax of the logits' mean over all places, which with global pooling is the network's own; ``best``:
    the highest softmax probability at a place.
    """

    target: int
    sizes: tuple[int, ...]
    whole: tuple[float, ...]
    best: tuple[float, ...]


def size_curve(
    network: Network, photo: Photo, target: int, sizes: Sequence[int] = SIZES, control: Control = Control()
) -> SizeCurve:
    """Return the probability of a class for a photo (H, W, 3) at each size, of the whole and of the best place.

    Sizes below the network's own are left out for fully connected heads. Raises as ``heat``.
    """
    own, plan = min(network.size), dense_plan(network)
    kept = tuple(size for size in sizes if size >= own or plan.window is None)
    whole, best = list[float](), list[float]()
    for number, size in enumerate(kept):
        inputs = to_inputs([whole_geometry(network, photo, size).see(photo)])
        logits = dense_logits(network, inputs, fused=True).values.flatten(0, 1).double()
        whole.append(float(logits.mean(0).softmax(0)[target]))
        best.append(float(logits.softmax(1)[:, target].max()))
        control.report(number + 1, len(kept))
    return SizeCurve(target, kept, tuple(whole), tuple(best))
