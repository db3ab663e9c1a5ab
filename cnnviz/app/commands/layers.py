"""``cnnviz layers``: a network's layers by name, with what each sees."""

import json

import click

from cnnviz.app import param_types


@click.command()
@click.argument("model", type=param_types.ModelName())
@click.option(
    "--input-size",
    "size",
    type=click.IntRange(1),
    metavar="PIXELS",
    help="Height and width of the input. [default: the network's own]",
)
@click.option("--json", "lines", is_flag=True, help="Print one JSON object a line for every layer.")
def layers(model: str, size: int | None, lines: bool) -> None:  # fmt: skip
    """List the layers of MODEL: name, kind, output shape, receptive field.

    The names are what --layer takes. The receptive field is the part of the input that one unit sees, width x
    height in pixels; "all" is the whole input, "?" is behind operators that are not followed. No weights are
    needed.

    \b
    Examples:
      cnnviz layers efficientnet_lite0
      cnnviz layers vgg16 --json | jq -r .name
    """
    from cnnviz.errors import InvalidRequest
    from cnnviz.graph import receptive_field
    from cnnviz.models import weights
    from cnnviz.models.loader import build_blank, input_size

    module = build_blank(model)
    side = size or input_size(model, module)
    try:
        found = receptive_field.layer_table(module, (side, side))
    except (RuntimeError, ValueError, AssertionError) as error:
        told = f"{model} cannot take an input of {side}x{side} pixels: {weights.error_reason(error)}"
        raise InvalidRequest(told) from error
    width = max(len(layer.name) for layer in found)
    for layer in found:
        field = layer.field if isinstance(layer.field, str) else f"{layer.field[1]}x{layer.field[0]}"
        if lines:
            row = {"name": layer.name, "kind": layer.kind, "shape": layer.shape, "receptive_field": field,
                   "stride": layer.stride}  # fmt: skip
            click.echo(json.dumps(row))
        else:
            shape = "x".join(map(str, layer.shape))
            click.echo(f"{layer.name:<{width}}  {layer.kind:<20}  {shape:>13}  {field:>9}")
