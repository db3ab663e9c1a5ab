"""Maps of cnnviz's own for an evaluation: occlusion with its defaults, for any network."""

from collections.abc import Sequence

from torch import Tensor

from cnnviz.attribution.map_files import ScoredMap
from cnnviz.attribution.occlusion import occlusion
from cnnviz.control import Control
from cnnviz.models.network import Network


def own_maps(
    network: Network, inputs: Tensor, targets: Sequence[int] | None, control: Control = Control()
) -> list[ScoredMap]:
    """Return the occlusion map of each class of an input (1, 3, h, w), by default of the top class."""
    found = occlusion(network, inputs, targets=targets, control=control)
    several = len(found.targets) > 1
    return [
        ScoredMap(f"occlusion, {network.class_name(target)}" if several else "occlusion", target, values)
        for target, values in zip(found.targets, found.maps, strict=True)
    ]


def occlusion_maps(inputs: Tensor, targets: Sequence[int], network: Network) -> Tensor:
    """Return the occlusion maps (targets, h, w) of a network: what the sanity check computes again."""
    return occlusion(network, inputs, targets=targets).maps
