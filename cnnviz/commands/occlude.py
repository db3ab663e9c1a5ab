"""``cnnviz occlude``: which parts of a photograph a network's answer rests on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from cnnviz import batch
from cnnviz.batch import Job, Line
from cnnviz.commands import _options as shared
from cnnviz.commands._run import Run, class_indices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnnviz.images import Geometry
    from cnnviz.methods.occlusion import Occlusion
    from cnnviz.models import Network
    from cnnviz.render import Panel


_own = shared.together(
    click.option("--window", type=click.IntRange(1), default=32, show_default=True, metavar="PIXELS",
                  help="Side of the square that covers a part, in pixels of the network's input."),
    click.option("--stride", type=click.IntRange(1), default=16, show_default=True, metavar="PIXELS",
                  help="Step between two places of the window, in pixels of the network's input."),
    click.option("--fill", type=click.Choice(["grey", "mean", "black", "white", "blur", "noise"]), default="grey",
                  show_default=True, help="What the window shows."),
    click.option("--score", type=click.Choice(["probability", "logit"]), default="probability", show_default=True,
                  help="Whose drop is drawn."),
    click.option("--border", type=click.Choice(["inside", "overhang"]), default="inside", show_default=True,
                  help="Windows start inside the input, or overhang it so that border pixels count like the others."),
    click.option("--engine", type=click.Choice(["auto", "incremental", "plain"]), default="auto", show_default=True,
                 help="Compute only what a window changes, or a whole pass a place; auto takes the faster."),
    click.option("--raw", type=click.Path(), metavar="FILE.npz|FOLDER/",
                  help="Also store all logits of all positions, and the maps, as NumPy arrays."),
)  # fmt: skip


@click.command()
@shared.inputs
@shared.output
@shared.targets
@_own
@shared.figure
@shared.photo
@shared.network
@shared.seed
@shared.json_lines
@shared.talk
def occlude(
    inputs: tuple[str, ...], output: str | None, targets: tuple[str, ...], raw: str | None, fit: str, colormap: str,
    bare: bool, **options: Any,
) -> None:  # fmt: skip
    """Draw which parts of a photograph a network's answer rests on.

    A window slides over the network's input and covers one part after the other; the picture shows how much
    the score of the class drops (red) or rises (blue) with each part covered. INPUTS are photos, folders of
    photos, or - for standard input.

    \b
    Examples:
      cnnviz occlude cat.jpg
      cnnviz occlude cat.jpg --class tabby --class lynx -o cat.png
      cat cat.jpg | cnnviz occlude - -o - > map.png
    """
    jobs = batch.plan(inputs, output, "-occlude.png")
    if raw:
        jobs = batch.with_extra(jobs, raw, "-occlude.npz", "--raw")
    run = Run(jobs)

    def one(job: Job) -> Line:
        from cnnviz import images

        photo, source = run.read(job)
        x, geometry = images.fit(photo, run.network, fit)

        from cnnviz import output, render  # what needs torch comes after what can fail without it
        from cnnviz.methods.occlusion import occlusion

        chosen = class_indices(run.network, targets)
        settings = {key: options[key] for key in ("window", "stride", "fill", "score", "border", "engine", "seed")}
        with run.console.progress("occluding", "positions") as tick:
            result = occlusion(run.network, x, targets=chosen, progress=tick, note=run.console.note, **settings)
        numbers = {
            "network": run.network.name,
            "top": run.network.top(result.clean_logits),
            "targets": list(result.targets),
            "positions": len(result.positions),
            "engine": result.engine,
            "engine_reason": result.engine_reason,
        }
        recipe = run.recipe(source, numbers)
        panels = _panels(run.network, result, options)
        label = f"drop of the {options['score']}"
        picture = render.figure(photo, geometry, panels, label=label, colormap=colormap, bare=bare)
        del photo  # a large one and its picture need not be held together while writing
        output.write_picture(str(job.output), picture, recipe)
        if job.extra:
            output.write_arrays(job.extra, _arrays(result, geometry), recipe)
        return {"raw": job.extra, "batch": result.batch, **numbers}

    run.over(one)


def _panels(network: "Network", result: "Occlusion", options: Mapping[str, Any]) -> "list[Panel]":
    from cnnviz.render import Panel

    shares = result.clean_logits.double().softmax(0)
    below = f"{network.name}, {options['fill']} window of {result.window} px, stride {result.stride} px"
    titles = [f"{network.class_name(index)}  {shares[index]:.1%}" for index in result.targets]
    return [Panel(values, title, below) for values, title in zip(result.maps.numpy(), titles, strict=True)]


def _arrays(result: "Occlusion", geometry: "Geometry") -> "dict[str, NDArray[Any]]":
    import numpy as np

    maps = result.maps.numpy()
    return {
        "logits": result.logits.numpy(),
        "clean_logits": result.clean_logits.numpy(),
        "positions": result.positions.numpy(),
        "window": np.array(result.window),
        "stride": np.array(result.stride),
        "targets": np.array(result.targets),
        "maps": maps,
        "photo_maps": geometry.to_photo(maps),
    }
