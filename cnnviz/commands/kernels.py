"""``cnnviz kernels``: a convolution's filters as pictures."""

import click

from cnnviz import batch
from cnnviz.batch import Job, Line
from cnnviz.commands import _kernels
from cnnviz.commands import _options as shared
from cnnviz.commands._run import Run


@click.command()
@click.argument("model", type=shared.ModelName())
@shared.output_to("MODEL-kernels.png")
@shared.layer("[default: the first convolution]")
@shared.channels
@shared.weights
@shared.std
@shared.offline
@shared.json_lines
@shared.talk
def kernels(model: str, output: str | None, layer: str | None, channels: tuple[int, ...], **_: object) -> None:
    """Draw the filters of MODEL's first convolution, or of another layer.

    Filters over red, green and blue are shown in those colours, each on its own scale, mid-grey for zero. Deeper
    layers show one tile for each pair of an output and an input channel, layers of 1x1 one matrix: red for positive
    weights, blue for negative ones.

    \b
    Examples:
      cnnviz kernels efficientnet_lite0
      cnnviz kernels alexnet --layer features.3 --channel 5 --channel 7 -o two.png
    """
    run = Run(batch.over_network(model, output, "-kernels.png"))

    def one(job: Job) -> Line:
        network = run.network

        from cnnviz import output
        from cnnviz.methods.kernels import kernels

        found = kernels(network, layer=layer)
        numbers, picture = _kernels.draw(network.name, found, channels)
        output.write_picture(str(job.output), picture, run.recipe(None, numbers))
        return {"network": network.name, **numbers}

    run.over(one)
