"""What an image is to maximise: layers, channels and classes with weights, parsed once from options."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cnnviz.errors import InvalidRequest
from cnnviz.synthesis.catalog import dream_layer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnnviz.models.network import Network


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

    def with_equal_weights(self) -> "ObjectiveSpec":
        """Return the same terms, each with a weight of 1."""
        return replace(
            self,
            layers=dict.fromkeys(self.layers, 1.0),
            channels=dict.fromkeys(self.channels, 1.0),
            classes=dict.fromkeys(self.classes, 1.0),
        )

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
    numbered = [(*_split_channel(text), weight) for text, weight in channels]
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


def _split_channel(text: str) -> tuple[str, int]:
    """Return layer ("" if none is given) and number of a text such as "blocks.4:20"."""
    layer, _, number = text.rpartition(":")
    if not number.isdecimal():
        raise InvalidRequest(f"--channel {text}: is neither a number nor LAYER:NUMBER")
    return layer, int(number)


def layers_spec(layers: str | Iterable[str] | Mapping[str, float], model: str) -> ObjectiveSpec:
    """Return the spec of whole layers: a name, names, or names with weights; of none the network's default layer."""
    if isinstance(layers, Mapping):
        return ObjectiveSpec(dict(layers))
    names = [layers] if isinstance(layers, str) else list(layers)
    return ObjectiveSpec(dict.fromkeys(names or [default_layer(model)], 1.0))


def default_layer(model: str) -> str:
    """Return the layer that deep dream maximises by default. Raises InvalidRequest for a network that has none."""
    layer = dream_layer(model)
    if layer is None:
        raise InvalidRequest(f"Missing option '--layer': one of those that cnnviz layers -m {model} prints")
    return layer
