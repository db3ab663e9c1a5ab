"""``cnnviz kernels``: a convolution's filters as pictures."""

import click

from cnnviz.app import jobs, options
from cnnviz.app.jobs import Job, Line
from cnnviz.app.param_types import ModelName
from cnnviz.app.session import Session
from cnnviz.features.figures.kernels import draw


@click.command()
@click.argument("model", type=ModelName())
@options.output_to("MODEL-kernels.png")
@options.layer("[default: the first convolution]")
@options.channels
@options.weights
@options.std
@options.offline
@options.json_lines
@options.talk
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
    run = Session(jobs.plan_network_job(model, output, "-kernels.png"))

    def one(job: Job) -> Line:
        network = run.network

        from cnnviz.features.kernels import kernels
        from cnnviz.io import write

        found = kernels(network, layer=layer)
        numbers, picture = draw(network.name, found, channels)
        write.write_picture(str(job.output), picture, run.recipe(None, numbers))
        return {"network": network.name, **numbers}

    run.over(one)
