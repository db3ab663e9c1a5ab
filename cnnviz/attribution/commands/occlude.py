"""``cnnviz occlude``: which parts of a photograph a network's answer rests on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from cnnviz.app import options as shared_options
from cnnviz.app import resume
from cnnviz.app.jobs import INTERRUPTED, Job, Line, add_second_file, plan_jobs
from cnnviz.app.param_types import Finite
from cnnviz.app.session import Session, class_indices
from cnnviz.attribution.figures import strongest_map

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from cnnviz.attribution.occlusion import Occlusion
    from cnnviz.attribution.occlusion_engines import OccludedLogits
    from cnnviz.io.color import Photo
    from cnnviz.models.network import Network
    from cnnviz.models.preprocess import Geometry

SETTINGS = ("window", "stride", "fill", "score", "border", "engine", "seed")

_own = shared_options.together(
    click.option("--window", type=click.IntRange(1), default=48, show_default=True, metavar="PIXELS",
                  help="Side of the square that covers a part, in pixels of the network's input."),
    click.option("--stride", type=click.IntRange(1), default=16, show_default=True, metavar="PIXELS",
                  help="Step between two places of the window, in pixels of the network's input."),
    click.option("--fill", type=shared_options.FILLS, default="blur",
                  show_default=True, help="What the window shows."),
    shared_options.score("probability"),
    click.option("--border", type=click.Choice(["inside", "overhang"]), default="overhang", show_default=True,
                  help="Windows start inside the input, or overhang it so that border pixels count like the others."),
    click.option("--engine", type=click.Choice(["auto", "incremental", "plain"]), default="auto", show_default=True,
                 help="Compute only what a window changes, or a whole pass a place; auto takes the faster."),
    click.option("--time-limit", type=Finite(0, min_open=True), metavar="SECONDS",
                 help="Stop each photo after this long and draw the coarser map of the places done. [default: none]"),
    shared_options.resume,
    click.option("--panels", is_flag=True,
                 help="All panels of the paper's figure 7: window, the layer's strongest feature map, probability, "
                      "most probable class."),
    shared_options.layer("[default: the last layer with maps]"),
    shared_options.raw,
)  # fmt: skip


@click.command()
@shared_options.inputs
@shared_options.output
@shared_options.targets
@_own
@shared_options.figure
@shared_options.photo
@shared_options.network
@shared_options.seed
@shared_options.json_lines
@shared_options.talk
def occlude(
    inputs: tuple[str, ...], output: str | None, targets: tuple[str, ...], raw: str | None, fit: str, **options: Any
) -> None:
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
    if options["layer"] and not options["panels"]:
        raise click.UsageError("--layer goes with --panels")
    if options["panels"] and options["bare"]:
        raise click.UsageError("--panels are a figure, which --bare would leave nothing of")
    jobs = plan_jobs(inputs, output, "-occlude.png")
    if raw:
        jobs = add_second_file(jobs, raw, "-occlude.npz", "--raw")
    run = Session(jobs)

    def one(job: Job) -> Line:
        from cnnviz.models import preprocess

        photo, source = run.read(job)
        x, geometry = preprocess.fit(photo, run.network, fit)

        from cnnviz.attribution.occlusion import occlusion
        from cnnviz.io import write  # what needs torch comes after what can fail without it

        chosen = class_indices(run.network, targets)
        unfinished = resume.partial_path(job.output)
        recipe = run.recipe(source, {})
        if options["resume"] and (numbers := resume.finished_numbers(job.output, recipe)) and not job.extra:
            return {"raw": None, **numbers}
        known = resume.find_partial(unfinished, recipe, run.console) if options["resume"] else None
        settings = {key: options[key] for key in SETTINGS}
        with (
            resume.stop_on_interrupt(options["time_limit"]) as stop,
            run.console.progress("occluding", "positions") as tick,
        ):
            result = occlusion(
                run.network, x, targets=chosen, layer=_layer(run.network, x, options), known=_answers(known), stop=stop,
                progress=tick, note=run.console.note, **settings,
            )  # fmt: skip
        numbers = _numbers(run.network, result)
        recipe["numbers"] = numbers
        picture = _picture(run.network, photo, geometry, x, result, options)
        del photo  # a large one and its picture need not be held together while writing
        write.write_picture(str(job.output), picture, recipe)
        if job.extra:
            write.write_arrays(job.extra, _arrays(result, geometry), recipe)
        line = {"raw": job.extra, "batch": result.batch, **numbers, INTERRUPTED: stop.interrupted}
        if result.done.all():
            resume.remove_partial(unfinished)
            return line
        resume.keep_partial(
            unfinished, {"logits": result.logits.numpy(), "totals": result.answers.totals.numpy()}, recipe
        )
        again = "; --resume goes on" if unfinished else ""
        run.console.note(f"stopped after {int(result.done.sum())} of {len(result.positions)} places{again}")
        return line | {"status": "partial"}

    run.over(one)


def _layer(network: "Network", x: "Tensor", options: Mapping[str, Any]) -> str | None:
    """Return the layer whose strongest feature map is wanted: by default the last that gives maps."""
    if not options["panels"] or options["layer"]:
        return options["layer"]  # type: ignore[no-any-return]
    return network.map_layers((x.shape[-2], x.shape[-1]))[-1]


def _answers(known: "dict[str, NDArray[Any]] | None") -> "OccludedLogits | None":
    import torch

    from cnnviz.attribution.occlusion_engines import OccludedLogits

    return OccludedLogits(*(torch.from_numpy(known[key]) for key in ("logits", "totals"))) if known else None


def _numbers(network: "Network", result: "Occlusion") -> Line:
    numbers = {
        "network": network.name,
        "top": network.top(result.clean_logits),
        "targets": list(result.targets),
        "positions": len(result.positions),
        "engine": result.engine,
        "engine_reason": result.engine_reason,
    }
    return numbers if result.done.all() else numbers | {"positions_done": int(result.done.sum())}


def _picture(
    network: "Network", photo: "Photo", geometry: "Geometry", x: "Tensor", result: "Occlusion",
    options: Mapping[str, Any],
) -> "Photo":  # fmt: skip
    from cnnviz.attribution.figures import occlusion_panels
    from cnnviz.figures import overlay

    fill = options["fill"]
    if options["panels"]:
        return occlusion_panels.draw(photo, geometry, strongest_map.tiles(network, x, result, fill, options["seed"]))
    shares = result.clean_logits.double().softmax(0)
    below = f"{network.name}, {fill} window of {result.window} px, stride {result.stride} px"
    titles = [f"{network.class_name(index)}  {shares[index]:.1%}" for index in result.targets]
    panels = [
        overlay.MapPanel(values, title, resume.partial_caption(result.done) + below)
        for values, title in zip(result.maps.numpy(), titles, strict=True)
    ]
    label = f"drop of the {options['score']}"
    return overlay.draw_figure(photo, geometry, panels, label=label, colormap=options["colormap"], bare=options["bare"])


def _arrays(result: "Occlusion", geometry: "Geometry") -> "dict[str, NDArray[Any]]":
    import numpy as np

    maps = result.maps.numpy()
    seen = result.activation
    watched = {} if seen is None else {
        "activations": seen.totals.numpy(), "layer": np.array(seen.layer), "channel": np.array(seen.channel)
    }  # fmt: skip
    return watched | {
        "logits": result.logits.numpy(),
        "clean_logits": result.clean_logits.numpy(),
        "positions": result.positions.numpy(),
        "window": np.array(result.window),
        "stride": np.array(result.stride),
        "targets": np.array(result.targets),
        "maps": maps,
        "photo_maps": geometry.to_photo(maps),
    }
