"""``cnnviz layers``: the layers of a network by name, with shapes and receptive fields."""

import json
from dataclasses import dataclass

import click

from cnnviz.app.console import Console
from cnnviz.app.declare import option
from cnnviz.app.options import FitOptions, features_model_option, redeclare
from cnnviz.app.photo_command import plain_command
from cnnviz.errors import InvalidRequest
from cnnviz.text import error_reason


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of ``cnnviz layers``."""

    model: str = features_model_option()
    input_size: int | None = redeclare(FitOptions.__dataclass_fields__["input_size"])
    json: bool = option("Print one JSON object per layer, one per line.", default=False, panel="Output")


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
    with Console().status(f"loading {options.model}"):
        from cnnviz.graph.receptive_field import layer_table
        from cnnviz.models.loader import build_blank, input_size

        module = build_blank(options.model)
    side = options.input_size or input_size(options.model, module)
    try:
        table = layer_table(module, (side, side))
    except (RuntimeError, ValueError, AssertionError) as error:
        text = f"{options.model} cannot take an input of {side}x{side} pixels: {error_reason(error)}"
        raise InvalidRequest(text) from error
    width = max(len(layer.name) for layer in table)
    for layer in table:
        field = layer.field if isinstance(layer.field, str) else f"{layer.field[1]}x{layer.field[0]}"
        line = {"name": layer.name, "kind": layer.kind, "shape": layer.shape, "receptive_field": field,
                "stride": layer.stride}  # fmt: skip
        text = f"{layer.name:<{width}}  {layer.kind:<20}  {'x'.join(map(str, layer.shape)):>13}  {field:>9}"
        click.echo(json.dumps(line) if options.json else text)
