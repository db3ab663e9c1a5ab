"""``cnnviz layers``: the layers of a network by name, with shapes and receptive fields."""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click
from click import IntRange

from cnnviz.app.declare import option
from cnnviz.app.param_types import ModelName
from cnnviz.app.photo_command import plain_command
from cnnviz.errors import InvalidRequest
from cnnviz.models import catalog

if TYPE_CHECKING:
    from cnnviz.graph.receptive_field import LayerInfo


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of ``cnnviz layers``."""

    model: str = option("The network: a name from 'cnnviz models', or timm:NAME.", "-m", "--model",
                        default=catalog.DEFAULT, type=ModelName(), metavar="NAME", panel="Network")  # fmt: skip
    input_size: int | None = option("Height and width of the network's input. [default: the network's own]",
                                    default=None, type=IntRange(1), metavar="PIXELS", panel="Network")  # fmt: skip
    json: bool = option("Print one JSON object per layer, one per line.", default=False, panel="Output")


@dataclass(frozen=True)
class LayerRow:
    """One layer: output ``shape`` without the batch, ``receptive_field`` as width x height or "all" or "?", ``stride``
    (vertical, horizontal) in pixels of the input.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    receptive_field: str
    stride: tuple[float, float] | None


@plain_command(Options)
def layers(options: Options) -> None:
    """List the layers of a network: name, kind, output shape, receptive field.

    The names are what --layer takes. The receptive field is the part of the input that one unit depends on, width x
    height in pixels; "all" is the whole input, "?" is behind operators that are not followed. No weights are needed.

    \b
    Examples:
      cnnviz layers
      cnnviz layers -m vgg16 --json | jq -r .name
    """
    rows = [_row(layer) for layer in _table(options.model, options.input_size)]
    width = max(len(row.name) for row in rows)
    for row in rows:
        shape = "x".join(map(str, row.shape))
        text = f"{row.name:<{width}}  {row.kind:<20}  {shape:>13}  {row.receptive_field:>9}"
        click.echo(json.dumps(asdict(row)) if options.json else text)


def _table(model: str, size: int | None) -> "list[LayerInfo]":
    from cnnviz.graph.receptive_field import layer_table
    from cnnviz.models.loader import build_blank, input_size
    from cnnviz.models.weights import error_reason

    module = build_blank(model)
    side = size or input_size(model, module)
    try:
        return layer_table(module, (side, side))
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = error_reason(error)
        raise InvalidRequest(f"{model} cannot take an input of {side}x{side} pixels: {reason}") from error


def _row(layer: "LayerInfo") -> LayerRow:
    field = layer.field if isinstance(layer.field, str) else f"{layer.field[1]}x{layer.field[0]}"
    return LayerRow(layer.name, layer.kind, layer.shape, field, layer.stride)
