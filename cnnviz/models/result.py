"""What results have in common: the network and the input that they were computed from, and their figure in Jupyter."""

from dataclasses import dataclass, field
from importlib import import_module

from torch import Tensor

from cnnviz.models.network import Network


class Drawable:
    """A result that shows its figure in Jupyter; ``cnnviz.figure`` draws it."""

    def _repr_png_(self) -> bytes | None:
        """Return the figure as a PNG; None where there is nothing to draw."""
        png: bytes | None = import_module("cnnviz.report.figure").png_of(self)
        return png


@dataclass(frozen=True, kw_only=True)
class NetworkResult(Drawable):
    """A result of a ``network``, which its figure names."""

    network: Network | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class InputResult(NetworkResult):
    """A result of a network's ``inputs`` (1, 3, h, w), RGB in [0, 1], which its figure shows."""

    inputs: Tensor | None = field(default=None, repr=False, compare=False)
