"""How a held-out network, which took no part in the optimisation, ranks the class of an image."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnviz.errors import InvalidRequest
from cnnviz.models.catalog import ClassProbability

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnnviz.models.network import Network


@dataclass(frozen=True)
class HeldOutRank:
    """``rank`` (1 is best) and ``probability`` of a class by ``network``, and that network's most probable classes."""

    network: str
    rank: int
    probability: float
    top: list[ClassProbability]


def rank_class(network: "Network", image: "NDArray[np.uint8]", target: int) -> HeldOutRank:
    """Return how a network ranks class ``target`` for an image, uint8 (H, W, 3), with its own preprocessing."""
    import torch

    from cnnviz.models.preprocess import fit

    with torch.inference_mode():
        logits = network(fit(image, network)[0])[0]
    rank = int((logits > logits[target]).sum()) + 1
    probability = float(logits.double().softmax(0)[target])
    return HeldOutRank(network.name, rank, round(probability, 6), network.top(logits))


def check_same_classes(held_out: "Network", network: "Network") -> None:
    """Raise InvalidRequest if two networks do not have the same classes."""
    if held_out.classes != network.classes:
        raise InvalidRequest(f"--check-with {held_out.name}: its classes differ from those of {network.name}")
