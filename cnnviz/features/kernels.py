"""The filters of a convolution, as Krizhevsky, Sutskever & Hinton show those of AlexNet's first.

"ImageNet Classification with Deep Convolutional Neural Networks", NIPS 2012, section 6.1 and figure 3. The paper does
not say how weights become grey levels; here every filter has its own scale, symmetric about zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.network import Network

NAMES_TOLD = 6


@dataclass(frozen=True)
class Kernels:
    """A convolution's filters.

    ``weights`` (out, in, h, w), float32, in the layer's order, where ``in`` counts the inputs that one filter reads:
    all of the layer's divided by ``groups``. With ``rgb`` they are the filters over the photograph's red, green and
    blue in [0, 1]: the network's own preparation of its input is in them.
    """

    layer: str
    weights: Tensor
    groups: int
    rgb: bool

    def scaled(self, channels: Sequence[int]) -> Tensor:
        """Return chosen filters (chosen, in, h, w), each divided by its own largest magnitude: -1 to 1, 0 stays 0."""
        chosen = self.weights[list(channels)]
        return chosen / chosen.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-30)


def kernels(network: Network, *, layer: str | None = None) -> Kernels:
    """Return the filters of a layer, by default those of the network's first convolution.

    A convolution that reads three channels made of the photograph's colours alone gets its filters over RGB: for an
    input (x - mean) / std these are the weights divided by std.
    """
    name = layer or _first(network)
    conv = _convolution(network, name)
    weights = conv.weight.detach().float().cpu()
    colours = _colours(network, conv) if weights.shape[1] == conv.in_channels == 3 else None
    if colours is not None:
        weights = torch.einsum("oihw,ic->ochw", weights, colours)
    if not torch.isfinite(weights).all():
        raise MethodError(f"the weights of {name} are not finite numbers")
    return Kernels(name, weights, conv.groups, colours is not None)


def _first(network: Network) -> str:
    names = (name for name, module in network.layers().items() if isinstance(module, nn.Conv2d))
    if name := next(names, None):
        return name
    raise InvalidRequest(f"{network.name} has no convolution, so that there are no filters to show")


def _convolution(network: Network, name: str) -> nn.Conv2d:
    module = network.layer(name)
    if isinstance(module, nn.Conv2d):
        return module
    inner = [f"{name}.{part}" for part, child in module.named_modules() if isinstance(child, nn.Conv2d)]
    more = f" and {len(inner) - NAMES_TOLD} more" if len(inner) > NAMES_TOLD else ""
    hint = f"; in it are {', '.join(inner[:NAMES_TOLD])}{more}" if inner else "; name a convolution"
    raise InvalidRequest(f"layer {name} is a {type(module).__name__}, which has no filters of its own{hint}")


class _Enough(Exception):  # noqa: N818 - no error: what was to be seen has been seen
    """Ends a pass through the network once the layer has been reached."""


def _colours(network: Network, conv: nn.Conv2d) -> Tensor | None:
    """Return what each of a layer's three inputs gains by each of the photograph's RGB, (3, 3); None where not linear.

    Found by showing the network plain black, red, green, blue, grey and white: how it prepares its input is its own
    affair.
    """
    shades = torch.cat([torch.zeros(1, 3), torch.eye(3), torch.full((1, 3), 0.5), torch.ones(1, 3)])
    given: list[Tensor] = []

    def see(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        given.append(inputs[0])
        raise _Enough

    handle = conv.register_forward_pre_hook(see)
    try:
        with torch.inference_mode():
            network(shades[:, :, None, None].expand(-1, -1, *network.size))
    except _Enough:
        pass
    finally:
        handle.remove()
    if not given:
        return None
    seen = given[0][:, :, given[0].shape[2] // 2, given[0].shape[3] // 2].double().cpu()
    gains = (seen[1:4] - seen[0]).T
    greys = torch.stack([gains.sum(1) / 2, gains.sum(1)])
    linear = torch.allclose(seen[4:] - seen[0], greys, rtol=1e-3, atol=1e-6)
    return gains.float() if linear else None
