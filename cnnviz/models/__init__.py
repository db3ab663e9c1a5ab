"""Networks by name: ``load("resnet50")`` gives a ``Network``, RGB in [0, 1] -> logits."""

from cnnviz.models.loader import blank, input_size, load
from cnnviz.models.network import Network, Recipe

__all__ = ["Network", "Recipe", "blank", "input_size", "load"]
