"""``cnnviz deconv``: what in a photograph, or in a folder of them, excites a layer's feature maps."""

from typing import TYPE_CHECKING, Any

import click

from cnnviz.app import options as shared
from cnnviz.app.jobs import Job, Line, add_second_file, plan_jobs
from cnnviz.app.session import Session, channel_numbers
from cnnviz.features.commands import deconv_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnnviz.features.deconvnet import Projection
    from cnnviz.features.projections import UnitRegion

TOP_PHOTO, TOP_FOLDER = 6, 9

_own = shared.together(
    shared.layer("[required]"),
    shared.channels,
    click.option("--top", type=click.IntRange(1, 100), default=None, metavar="N",
                 help="How many: a photo's strongest maps, or each map's strongest photos in a folder. "
                      "[default: 6 maps, 9 photos]"),
    click.option("--channels", "span", type=deconv_folder.Channels(), default=None, metavar="0-15|3,7|all",
                 help="Feature maps to search a folder for. [default: 0-15]"),
    click.option("--method", type=click.Choice(["deconvnet", "guided", "gradient"]), default="deconvnet",
                 show_default=True, help="How the signal passes rectifiers on its way back."),
    click.option("--rule", type=click.Choice(["gradient", "rectify"]), default=None,
                 help="How it passes what the method has no rule for, such as SiLU: by its derivative, or as if it "
                      "were a rectifier. [default: refuse]"),
    click.option("--field", type=click.Choice(["exact", "effective"]), default="exact", show_default=True,
                 help="The part of the input shown: a unit's receptive field (the effective one where that is most "
                      "of the input), or the box that holds 95 % of its projection."),
    shared.resume,
    click.option("--raw", type=click.Path(), metavar="FILE.npz|FOLDER/",
                 help="Also store a photo's projections as NumPy arrays."),
    shared.bare,
)  # fmt: skip


@click.command()
@shared.inputs
@shared.output
@_own
@shared.photo
@shared.network
@shared.json_lines
@shared.talk
def deconv(inputs: tuple[str, ...], output: str | None, raw: str | None, fit: str, **options: Any) -> None:
    """Project a layer's strongest units back onto the pixels that excited them.

    A photo gives its strongest feature maps, each with the part of the photo that its strongest unit sees and
    what of it excited the unit. A folder gives figure 2 of the deconvnet's paper: for each feature map the photos
    that excite it most, in a folder of pictures (-o FOLDER/, by default NAME-deconv/).

    \b
    Examples:
      cnnviz deconv cat.jpg --layer blocks.2
      cnnviz deconv cat.jpg --layer blocks.4 --channel 44 --method guided -o cat.png
      cnnviz deconv photos/ --layer blocks.3 --top 9 --channels all -o figure-2/
    """
    shared.require_layer(options["layer"], options["model"])
    if deconv_folder.are_folders(inputs):
        deconv_folder.refuse({"--channel": options["channels"], "--raw": raw, "--bare": options["bare"]}, "one photo")
        return deconv_folder.search(inputs, output, fit, options | {"top": options["top"] or TOP_FOLDER})
    deconv_folder.refuse({"--channels": options["span"], "--resume": options["resume"]}, "a folder")
    if options["channels"] and options["top"]:
        raise click.UsageError("--channel and --top do not go together")
    jobs = plan_jobs(inputs, output, "-deconv.png")
    if raw:
        jobs = add_second_file(jobs, raw, "-deconv.npz", "--raw")
    run = Session(jobs)
    told: set[str] = set()

    def one(job: Job) -> Line:
        from cnnviz.models import preprocess

        photo, source = run.read(job)
        x, _ = preprocess.fit(photo, run.network, fit)

        from cnnviz.features import projections as units
        from cnnviz.features.deconvnet import Deconvnet
        from cnnviz.features.figures import projections
        from cnnviz.io import write

        ready = Deconvnet(run.network, x, options["layer"], options["method"], options["rule"])
        remarks = units.remarks(run.network, ready, options["method"])
        for remark in (text for text in remarks if text not in told):
            run.console.note(remark)
        told.update(remarks)
        asked = channel_numbers(options["channels"], len(ready.maps), options["layer"])
        chosen = asked or ready.strongest(options["top"] or TOP_PHOTO)
        found = [ready.project(channel) for channel in chosen]
        layer = units.receptive_layer(run.network, options["layer"], (x.shape[-2], x.shape[-1]))
        parts = [units.unit_region(layer, projection, options["field"]) for projection in found]
        pairs = [units.pair(x, f, part, f"map {f.channel}") for f, part in zip(found, parts, strict=True)]
        numbers = {"network": run.network.name, "top": run.network.top(ready.logits),
                   "layer": options["layer"], "method": options["method"],
                   "units": [_unit(f, part) for f, part in zip(found, parts, strict=True)]}  # fmt: skip
        recipe = run.recipe(source, numbers)
        if options["bare"]:
            picture = projections.draw_bare([f.projection[0].float().cpu().numpy() for f in found])
        else:
            words = f"{options['method']} projections of {options['layer']}, {run.network.name}"
            picture = projections.draw_projections(x[0].numpy(), [part.box for part in parts], pairs, words)
        write.write_picture(str(job.output), picture, recipe)
        if job.extra:
            write.write_arrays(job.extra, _arrays(found), recipe)
        return {"raw": job.extra, **numbers}

    run.over(one)
    return None


def _unit(found: "Projection", part: "UnitRegion") -> Line:
    y, x = found.position
    return {"channel": found.channel, "position": [y, x], "activation": round(found.seed, 6),
            "box": list(part.box), "effective": part.effective}  # fmt: skip


def _arrays(found: "list[Projection]") -> "dict[str, NDArray[Any]]":
    import numpy as np

    return {
        "projections": np.concatenate([f.projection.float().cpu().numpy() for f in found]),
        "channels": np.array([f.channel for f in found]),
        "positions": np.array([f.position for f in found]),
        "activations": np.array([f.seed for f in found], np.float32),
        "layer": np.array(found[0].layer),
    }
