"""What an image is to maximise: layers, channels and classes with weights, parsed once from options."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cnnviz.errors import InvalidRequest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnnviz.models.network import Network


# By the beginning of the network's name, longer ones first: layers whose dreams show parts of animals and objects.
DREAM_LAYERS = {
    "efficientnet_lite": "blocks.4",
    "efficientnet_": "features.5",
    "googlenet": "inception4c",
    "inception_v3": "Mixed_6c",
    "vgg11_bn": "features.20",
    "vgg13_bn": "features.26",
    "vgg16_bn": "features.32",
    "vgg19_bn": "features.35",
    "vgg11": "features.14",
    "vgg13": "features.18",
    "vgg16": "features.22",
    "vgg19": "features.24",
    "alexnet": "features.9",
    "zfnet": "conv4",
    "hed_vgg16": "relu4_2",
    "resnet": "layer3",
    "resnext": "layer3",
    "wide_resnet": "layer3",
    "densenet": "features.denseblock3",
    "squeezenet1_0": "features.11",
    "squeezenet1_1": "features.10",
    "mobilenet_v2": "features.13",
    "mobilenet_v3_large": "features.12",
    "mobilenet_v3_small": "features.8",
    "mnasnet": "layers.11",
    "regnet": "trunk_output.block3",
    "shufflenet": "stage3",
    "convnext": "features.5",
}


@dataclass(frozen=True)
class ObjectiveSpec:
    """Layers, channels and classes to maximise, with their weights.

    ``layers`` by name, as a whole; ``channels`` by (layer, number); ``classes`` by name or index. With ``guides``,
    photos uint8 (H, W, 3), the layers are maximised towards the guides' features; with ``caricature`` towards the
    photo's own. Of several terms the weights are shares of a step: gradients are first scaled to the same strength.
    """

    layers: Mapping[str, float] = field(default_factory=dict)
    channels: Mapping[tuple[str, int], float] = field(default_factory=dict)
    classes: Mapping[int | str, float] = field(default_factory=dict)
    guides: "tuple[NDArray[np.uint8], ...]" = ()
    caricature: bool = False

    @property
    def weights(self) -> list[float]:
        """The weights of its terms: layers, channels, classes."""
        return [*self.layers.values(), *self.channels.values(), *self.classes.values()]

    def for_network(self, network: "Network") -> "ObjectiveSpec":
        """Return the spec with its classes by index. Raises InvalidRequest for a class that the network lacks."""
        indices: dict[int | str, float] = {
            network.class_index(str(name)): weight for name, weight in self.classes.items()
        }
        return replace(self, classes=indices)


def parse_objective(
    layers: Mapping[str, float], channels: Sequence[tuple[str, float]], classes: Mapping[int | str, float], model: str
) -> ObjectiveSpec:
    """Return the spec of --layer, --channel (N or LAYER:N) and --class, all with weights.

    A channel without a layer is one of the only --layer, or of the network's default layer, which is then not
    maximised as a whole. If nothing is given, the default layer is. Raises InvalidRequest for a channel that is
    malformed or ambiguous.
    """
    numbered = []
    for text, weight in channels:
        layer, _, number = text.rpartition(":")
        if not number.isdecimal():
            raise InvalidRequest(f"--channel {text}: is neither a number nor LAYER:NUMBER")
        numbered.append((layer, int(number), weight))
    owner = ""
    if bare := [number for layer, number, _ in numbered if not layer]:
        if len(layers) > 1:
            raise InvalidRequest(f"--channel {bare[0]}: give its layer too, such as {next(iter(layers))}:{bare[0]}")
        owner = next(iter(layers), None) or default_layer(model)
        layers = {}
    parsed = {(layer or owner, number): weight for layer, number, weight in numbered}
    if not (layers or parsed or classes):
        layers = {default_layer(model): 1.0}
    return ObjectiveSpec(dict(layers), parsed, dict(classes))


def layers_spec(layers: str | Iterable[str] | Mapping[str, float], model: str) -> ObjectiveSpec:
    """Return the spec of whole layers: a name, names, or names with weights; of none the network's default layer."""
    if isinstance(layers, Mapping):
        return ObjectiveSpec(dict(layers))
    names = [layers] if isinstance(layers, str) else list(layers)
    return ObjectiveSpec(dict.fromkeys(names or [default_layer(model)], 1.0))


def default_layer(model: str) -> str:
    """Return the layer that deep dream maximises by default. Raises InvalidRequest for a network that has none."""
    for prefix, layer in DREAM_LAYERS.items():
        if model.startswith(prefix):
            return layer
    raise InvalidRequest(f"Missing option '--layer': one of those that cnnviz layers -m {model} prints")
