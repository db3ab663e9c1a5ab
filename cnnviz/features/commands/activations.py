"""``cnnviz activations``: a layer's feature maps for a photograph."""

from typing import TYPE_CHECKING, Any

import click

from cnnviz.app import options as shared
from cnnviz.app.jobs import Job, Line, add_second_file, plan_jobs
from cnnviz.app.session import Session
from cnnviz.features.figures.activations import chosen_channels, draw, tell

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnnviz.features.activations import Activations

_own = shared.together(
    shared.layer("[required]"),
    click.option("--top", type=click.IntRange(1), default=16, show_default=True, metavar="N",
                 help="How many maps to show, the strongest first, where --channel names none."),
    shared.channels,
    click.option("--overlay", is_flag=True, help="Lay each map over the photo."),
    click.option("--raw", type=click.Path(), metavar="FILE.npz|FOLDER/",
                 help="Also store all maps of the layer as NumPy arrays."),
)  # fmt: skip


@click.command()
@shared.inputs
@shared.output
@_own
@shared.photo
@shared.network
@shared.json_lines
@shared.talk
def activations(
    inputs: tuple[str, ...], output: str | None, layer: str | None, raw: str | None, fit: str, **options: Any
) -> None:
    """Draw a layer's feature maps for a photograph, the strongest first.

    The strength of a map is the sum of what is positive in it. All maps have one scale. INPUTS are photos, folders
    of photos, or - for standard input.

    \b
    Examples:
      cnnviz activations cat.jpg --layer blocks.2
      cnnviz activations cat.jpg --layer blocks.4 --top 4 --overlay -o cat.png
      cnnviz activations photos/ --layer conv_head --channel 7 --raw maps/ -o maps/
    """
    named = shared.require_layer(layer, options["model"])
    jobs = plan_jobs(inputs, output, "-activations.png")
    if raw:
        jobs = add_second_file(jobs, raw, "-activations.npz", "--raw")
    run = Session(jobs)

    def one(job: Job) -> Line:
        from cnnviz.models import preprocess

        photo, source = run.read(job)
        x, geometry = preprocess.fit(photo, run.network, fit)

        from cnnviz.features.activations import activations
        from cnnviz.io import write  # what needs torch comes after what can fail without it

        found = activations(run.network, x, layer=named)
        shown = chosen_channels(found, options["channels"], options["top"])
        numbers = {"network": run.network.name, "top": run.network.top(found.logits), **tell(found, shown)}
        recipe = run.recipe(source, numbers)
        over = (photo, geometry) if options["overlay"] else None
        write.write_picture(str(job.output), draw(run.network.name, found, shown, over), recipe)
        if job.extra:
            write.write_arrays(job.extra, _arrays(found), recipe)
        return {"raw": job.extra, **numbers}

    run.over(one)


def _arrays(found: "Activations") -> "dict[str, NDArray[Any]]":
    import numpy as np

    arrays = {name: getattr(found, name).numpy() for name in ("maps", "order", "strengths")}
    return arrays | {"layer": np.array(found.layer)}
