"""The attribution methods by name. No torch: help, completion and figure titles read this table."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from cnnviz.attribution.class_score import ClassScore, MethodSettings

MAX_MAPS = 6  # in the figure of an evaluation: as many colours as colour-blind readers can tell apart


@dataclass(frozen=True)
class Method:
    """An attribution method.

    ``title`` in figures; ``function`` as "module:name" below cnnviz, called with (ClassScore, MethodSettings), which
    returns maps (targets, h, w); ``signed``: maps have negative values; ``complete``: a map's sum is the difference
    of the score from that of a black input; ``layer``: the method uses the feature maps of a layer; ``smooth``: maps
    are interpolated between cells; a figure blurs the others, which are of single pixels.
    """

    title: str
    function: str
    signed: bool = True
    complete: bool = False
    layer: bool = False
    smooth: bool = False

    def load(self) -> "Callable[[ClassScore, MethodSettings], Tensor]":
        """Import the function."""
        module, _, name = self.function.partition(":")
        function: Callable[[ClassScore, MethodSettings], Tensor] = getattr(import_module(f"cnnviz.{module}"), name)
        return function


METHODS = {
    "gradient": Method("Gradient", "attribution.methods:gradient", signed=False),
    "gradient-x-input": Method("Gradient x input", "attribution.methods:gradient_x_input"),
    "integrated-gradients": Method("Integrated gradients", "attribution.methods:integrated_gradients", complete=True),
    "smoothgrad": Method("SmoothGrad", "attribution.methods:smoothgrad", signed=False),
    "grad-cam": Method("Grad-CAM", "attribution.methods:grad_cam", signed=False, layer=True, smooth=True),
    "guided-grad-cam": Method("Guided Grad-CAM", "attribution.methods:guided_grad_cam", layer=True),
    "guided": Method("Guided backpropagation", "attribution.methods:guided"),
    "deconvnet": Method("Deconvnet", "attribution.methods:deconvnet"),
    "deeplift": Method("DeepLIFT", "attribution.methods:deeplift", complete=True),
}
