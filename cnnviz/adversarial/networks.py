"""Checks of the networks that are attacked together, or that an attack is checked with."""

from collections.abc import Sequence

import torch

from cnnviz.errors import InvalidRequest
from cnnviz.models.network import Network


def require_same_classes(network: Network, others: Sequence[Network]) -> None:
    """Raise InvalidRequest where another network has other classes than ``network``."""
    for other in others:
        if not same_classes(other, network):
            raise InvalidRequest(f"{other.name} has other classes than {network.name}")


def same_classes(one: Network, other: Network) -> bool:
    """Return whether two networks have the same class names; without any, the same number of outputs."""
    if one.classes or other.classes:
        return one.classes == other.classes
    with torch.inference_mode():
        counts = [network(torch.zeros(1, 3, *network.size)).shape[1] for network in (one, other)]
    return counts[0] == counts[1]
