"""``cnnviz attribute``: which pixels a network's answer hangs on, by signals sent back through it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from cnnviz.app import options as shared_options
from cnnviz.app.jobs import Job, Line, add_second_file, plan_jobs
from cnnviz.app.param_types import AttributionNames, Finite, joined
from cnnviz.app.session import Session, class_indices
from cnnviz.models.catalog import ATTRIBUTIONS, CAMS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from cnnviz.attribution.backprop import Attribution
    from cnnviz.io.color import Photo
    from cnnviz.models.network import Network
    from cnnviz.models.preprocess import Geometry

SETTINGS = ("layer", "steps", "samples", "noise", "score", "seed")
ACROSS = 4  # panels in a row
PALE = 0.65  # veil under maps of single pixels
FAR = 0.05  # gap of integrated gradients that a person should know of

_own = shared_options.together(
    click.option("--method", "methods", type=AttributionNames(), multiple=True, default=("grad-cam",),
                 show_default=True, callback=joined, metavar="NAME[,NAME...]",
                 help=f"One or several of {', '.join(ATTRIBUTIONS)}."),
    shared_options.layer("[default: the last layer with maps]"),
    click.option("--steps", type=click.IntRange(1), default=50, show_default=True, metavar="N",
                 help="Steps of integrated gradients, from black to the photo."),
    click.option("--samples", type=click.IntRange(1), default=25, show_default=True, metavar="N",
                 help="Noisy inputs of smoothgrad."),
    click.option("--noise", type=Finite(0), default=0.15, show_default=True, metavar="SHARE",
                 help="Deviation of smoothgrad's noise, in parts of the input's range."),
    shared_options.score("logit"),
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
def attribute(
    inputs: tuple[str, ...], output: str | None, targets: tuple[str, ...], methods: tuple[str, ...], raw: str | None,
    fit: str, **options: Any,
) -> None:  # fmt: skip
    """Draw which pixels a network's answer hangs on, by signals sent back through it.

    The score of the class is followed from the answer down to the pixels, in one pass for most methods; several
    methods stand side by side. Red speaks for the class, blue against it. INPUTS are photos, folders of photos,
    or - for standard input.

    \b
    Examples:
      cnnviz attribute cat.jpg
      cnnviz attribute cat.jpg --method grad-cam,integrated-gradients,smoothgrad
      cnnviz attribute cat.jpg --method deeplift --class tabby --class lynx -o cat.png
      cat cat.jpg | cnnviz attribute - -o - > map.png
    """
    if options["layer"] and not set(CAMS) & set(methods):
        raise click.UsageError(f"--layer goes with {' and '.join(CAMS)}")
    jobs = plan_jobs(inputs, output, "-attribute.png")
    if raw:
        jobs = add_second_file(jobs, raw, "-attribute.npz", "--raw")
    run = Session(jobs)

    def one(job: Job) -> Line:
        from cnnviz.models import preprocess

        photo, source = run.read(job)
        x, geometry = preprocess.fit(photo, run.network, fit)

        from cnnviz.io import write

        found = _attributed(run, x, class_indices(run.network, targets), methods)
        numbers = _numbers(run.network, found)
        recipe = run.recipe(source, numbers)
        picture = _picture(run.network, photo, geometry, found, options)
        write.write_picture(str(job.output), picture, recipe)
        if job.extra:
            write.write_arrays(job.extra, _arrays(found, geometry), recipe)
        return {"raw": job.extra, **numbers}

    run.over(one)


def _attributed(
    run: Session, x: "Tensor", chosen: list[int] | None, methods: Sequence[str]
) -> "dict[str, Attribution]":
    """Return what every method found, and note where integrated gradients took too few steps."""
    from cnnviz.attribution.backprop import attribute

    settings, found = {key: run.options[key] for key in SETTINGS}, {}
    for name in methods:
        with run.console.progress(name, "passes") as tick:
            found[name] = attribute(run.network, x, method=name, targets=chosen, progress=tick, **settings)
        if (gap := max(found[name].gaps or (0,))) > FAR:
            run.console.note(f"{name}: the map's sum is off by {gap:.0%}; more --steps bring it nearer")
    return found


def _numbers(network: "Network", found: "Mapping[str, Attribution]") -> Line:
    some = next(iter(found.values()))
    return {
        "network": network.name,
        "top": network.top(some.clean_logits),
        "targets": list(some.targets),
        "methods": list(found),
        "layer": next((one.layer for one in found.values() if one.layer), None),
        "gaps": {name: list(one.gaps) for name, one in found.items() if one.gaps},
    }


def _picture(
    network: "Network", photo: "Photo", geometry: "Geometry", found: "Mapping[str, Attribution]",
    options: Mapping[str, Any],
) -> "Photo":  # fmt: skip
    """Return the panels, four in a row; of several methods and classes each class begins a row of its own."""
    from cnnviz.figures import overlay

    blocks = [_panels(network, name, one) for name, one in found.items()]
    if len(blocks) > 1:
        blocks = [list(row) for row in zip(*blocks, strict=True)]
    if not options["bare"]:
        photo, geometry = overlay.at_figure_size(photo, geometry)
    return overlay.stack([
        overlay.draw_figure(
            photo, geometry, row, label="share of the 99th percentile", colormap=options["colormap"],
            bare=options["bare"], scale=1.0, signed=any(one.signed for one in found.values()),
        )
        for block in blocks for row in _rows(block)
    ])  # fmt: skip


def _rows(panels: list[Any]) -> list[list[Any]]:
    """Return panels in rows of about one length, four at the most."""
    rows = -(-len(panels) // ACROSS)
    across = -(-len(panels) // rows)
    return [panels[first : first + across] for first in range(0, len(panels), across)]


def _panels(network: "Network", name: str, one: "Attribution") -> list[Any]:
    """Return a panel for each class, all in shares of one end of the scale."""
    from cnnviz.figures import overlay

    end = overlay.percentile_scale(one.maps.numpy())
    shares = one.clean_logits.double().softmax(0)
    layer = f", layer {one.layer}" if one.layer else ""
    return [
        overlay.MapPanel(
            values, f"{ATTRIBUTIONS[name]} · {network.class_name(target)} {shares[target]:.1%}",
            f"{network.name}{layer}; full colour at {end:.2g}",
            veil=0.0 if name == "grad-cam" else PALE,
        )
        for values, target in zip(one.maps.numpy() / end, one.targets, strict=True)
    ]  # fmt: skip


def _arrays(found: "Mapping[str, Attribution]", geometry: "Geometry") -> "dict[str, NDArray[Any]]":
    import numpy as np

    maps = np.concatenate([one.maps.numpy() for one in found.values()])
    return {
        "maps": maps,
        "photo_maps": geometry.to_photo(maps),
        "targets": np.array([target for one in found.values() for target in one.targets]),
        "methods": np.array([name for name, one in found.items() for _ in one.targets]),
        "clean_logits": next(iter(found.values())).clean_logits.numpy(),
    }
