"""Networks without classes: feature maps, no logits."""

from dataclasses import dataclass
from typing import NoReturn

from torch import Tensor

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.network import Network


@dataclass(frozen=True)
class FeatureNetwork(Network):
    """A network whose output is feature maps: its layers can be shown and maximised, but there are no classes."""

    def __call__(self, inputs: Tensor) -> NoReturn:
        """Raise MethodError: what calls a network wants logits, and the maps must not pass for them."""
        raise MethodError(f"{self.name} has no classes: its output is feature maps")

    def outputs(self, inputs: Tensor) -> Tensor:
        """Return the last layer's maps (N, channels, h, w) for RGB (N, 3, h, w) in [0, 1]. Raises MethodError."""
        maps = self.run(inputs)
        if not isinstance(maps, Tensor) or maps.dim() != 4:
            raise MethodError(f"{self.name} gives no feature maps (N, channels, h, w)")
        return maps

    def class_logits(self, outputs: Tensor) -> Tensor:
        """Return the logits of no class, (0,)."""
        return outputs.new_zeros(0).float().cpu()

    def class_index(self, word: str) -> NoReturn:
        """Raise InvalidRequest: there are no classes."""
        raise InvalidRequest(f"no class {word}: {self.name} has no classes")

    def is_output(self, layer: str) -> bool:
        """Return False: no layer has one channel for each class."""
        return False
