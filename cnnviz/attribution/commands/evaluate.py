"""``cnnviz evaluate``: whether a map tells what the network's answer rests on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cnnviz.app import options as shared_options
from cnnviz.app.jobs import Job, Line, plan_jobs
from cnnviz.app.param_types import Box
from cnnviz.app.session import Session, class_indices
from cnnviz.attribution import map_files
from cnnviz.attribution.figures import evaluation
from cnnviz.attribution.map_files import ScoredMap

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from cnnviz.attribution.deletion_insertion import DeletionInsertion
    from cnnviz.attribution.pointing_game import PointingGame
    from cnnviz.attribution.sanity_check import SanityCheck
    from cnnviz.models.network import Network
    from cnnviz.models.preprocess import Geometry

FRAME = 500  # longer side of the photographs that the pointing game's 15 pixels are of


_own = shared_options.together(
    click.option("--map", "map_files", type=click.Path(exists=True), multiple=True, metavar="FILE|FOLDER/",
                 help="A map to judge, .npy or .npz, on the network's input or the photo; or a folder of them by the "
                      "photos' stems. Several times for several. [default: cnnviz's own occlusion map]"),
    click.option("--label", "labels", multiple=True, metavar="TEXT", help="What the legend calls a --map, in order."),
    click.option("--mask", "mask_file", type=click.Path(exists=True), metavar="FILE|FOLDER/",
                 help="Where the thing is: a picture of the photo's size, light inside, black outside; or a folder "
                      "of them."),
    click.option("--box", "boxes", type=Box(), multiple=True, metavar="X,Y,W,H",
                 help="Where the thing is, in pixels of the photo. Several boxes, and a mask, count together."),
    click.option("--randomize", is_flag=True,
                 help="Also make the map again from ever more randomised weights, and compare."),
    click.option("--steps", type=click.IntRange(1), default=50, show_default=True, metavar="N",
                 help="Steps of deletion and of insertion."),
    click.option("--delete-to", type=shared_options.FILLS, default="grey",
                 show_default=True, help="What deleted pixels become."),
    click.option("--insert-into", type=shared_options.FILLS,
                 default="blur", show_default=True, help="What pixels are inserted into."),
    click.option("--randoms", type=click.IntRange(1), default=3, show_default=True, metavar="N",
                 help="How often to measure the map moved at random, to compare."),
    click.option("--tolerance", type=click.IntRange(0), default=15, show_default=True, metavar="PIXELS",
                 help="How near the map's peak must be to the thing, on a photo scaled to a longer side of 500."),
    click.option("--stages", type=click.IntRange(1), default=5, show_default=True, metavar="N",
                 help="Stages of --randomize, the classifier first."),
)  # fmt: skip


@click.command()
@shared_options.inputs
@shared_options.output
@shared_options.targets
@_own
@shared_options.colormap
@shared_options.photo
@shared_options.network
@shared_options.seed
@shared_options.json_lines
@shared_options.talk
def evaluate(
    inputs: tuple[str, ...], output: str | None, targets: tuple[str, ...], fit: str, colormap: str, **options: Any
) -> None:
    """Measure whether a map tells what the network's answer rests on.

    The pixels that the map calls important are deleted, and inserted into a blurred photo, step by step: with a
    faithful map the probability of the class falls, and rises, faster than with the same map moved elsewhere. With
    --mask or --box also whether the map points at the thing; with --randomize whether it depends on what the
    network learned. INPUTS are photos, folders of photos, or - for standard input.

    \b
    Examples:
      cnnviz evaluate cat.jpg
      cnnviz evaluate cat.jpg --box 40,20,300,260 --randomize
      cnnviz evaluate cat.jpg --map a.npy --map b.npy --label Grad-CAM --label RISE
      cnnviz evaluate photos/ --map maps/ --json | jq '.maps[0].deletion_auc'
    """
    jobs = plan_jobs(inputs, output, "-evaluate.png")
    map_files.check_evaluation_options(jobs, targets, options)
    run = Session(jobs)

    def one(job: Job) -> Line:
        from cnnviz.io.arrays import read_maps
        from cnnviz.models import preprocess

        photo, source = run.read(job)
        files = map_files.files_for(job, options)
        held = [read_maps(path) for path in files.maps]
        mask = map_files.read_object_mask(photo, files.mask, options)
        x, geometry = preprocess.fit(photo, run.network, fit)

        network = run.network
        chosen = class_indices(network, targets)
        if held:
            subjects = map_files.read_scored_maps(network, x, geometry, held, chosen, source, run.options)
        else:
            subjects = _own_maps(run, x, chosen)
        curves = _curves(run, x, subjects)
        pointed = [_point(geometry, subject, mask, options["tolerance"]) for subject in subjects]
        checked = _randomized(run, x, subjects) if options["randomize"] else None
        rows = evaluation.rows(network, subjects, curves, pointed, checked)
        numbers = {"network": network.name, "top": network.top(curves.clean_logits), "maps": rows}
        recipe = run.recipe(source, numbers, {"map_files": files.maps, "mask_file": files.mask})
        picture = evaluation.draw(photo, geometry, numbers, subjects, curves, mask, colormap)
        from cnnviz.io import write

        write.write_picture(str(job.output), picture, recipe)
        points = evaluation.points(curves)
        return {**numbers, "maps": [row | more for row, more in zip(rows, points, strict=True)]}

    to_terminal = all(job.output != "-" for job in jobs)  # otherwise the picture is what standard output takes
    run.over(one, evaluation.print_table if to_terminal else None)


def _own_maps(run: Session, x: "Tensor", chosen: list[int] | None) -> list[ScoredMap]:
    found = _occluded(run, run.network, x, chosen)
    names = [f"occlusion, {run.network.class_name(index)}" if len(found) > 1 else "occlusion" for index in found]
    return [ScoredMap(name, *pair) for name, pair in zip(names, found.items(), strict=True)]


def _occluded(run: Session, network: "Network", x: "Tensor", targets: list[int] | None) -> "dict[int, Tensor]":
    """Return cnnviz's own occlusion maps (h, w) by class."""
    from cnnviz.attribution.occlusion import occlusion

    with run.console.progress("occluding", "positions") as tick:
        result = occlusion(
            network, x, targets=targets, seed=run.options["seed"], progress=tick, note=run.console.note
        )  # fmt: skip
    return dict(zip(result.targets, result.maps, strict=True))


def _curves(run: Session, x: "Tensor", subjects: Sequence[ScoredMap]) -> "DeletionInsertion":
    import torch

    from cnnviz.attribution.deletion_insertion import deletion_insertion
    from cnnviz.attribution.occlusion import occluder

    o, network = run.options, run.network
    deleted, start = (occluder(x, o[key], network, o["seed"]) for key in ("delete_to", "insert_into"))
    with run.console.progress("deleting and inserting", "passes") as tick:
        return deletion_insertion(
            network, x, torch.stack([subject.values for subject in subjects]),
            targets=[subject.target for subject in subjects], deleted=deleted, start=start, progress=tick,
            **{key: o[key] for key in ("steps", "randoms", "seed")},
        )  # fmt: skip


def _point(
    geometry: "Geometry", subject: ScoredMap, mask: "NDArray[Any] | None", tolerance: int
) -> "PointingGame | None":
    """Play the pointing game on the photo scaled to a longer side of FRAME, so that its size does not matter."""
    from dataclasses import replace

    import numpy as np
    import torch
    from PIL import Image

    from cnnviz.attribution.pointing_game import pointing_game

    if mask is None:
        return None
    height, width = (max(1, round(side * FRAME / max(geometry.photo))) for side in geometry.photo)
    values = replace(geometry, photo=(height, width)).to_photo(subject.values.numpy())
    share = np.asarray(Image.fromarray(mask.astype(np.float32)).resize((width, height), Image.Resampling.BOX))
    inside = share >= min(0.5, share.max())  # a mask of less than a pixel is still there
    found = pointing_game(torch.from_numpy(values), torch.from_numpy(inside), tolerance=tolerance)
    y, x = ((p + 0.5) * side / small for p, side, small in zip(found.peak, geometry.photo, values.shape, strict=True))
    return replace(found, peak=(int(y), int(x)))


def _randomized(run: Session, x: "Tensor", subjects: Sequence[ScoredMap]) -> "SanityCheck":
    import torch

    from cnnviz.attribution.sanity_check import sanity_check

    targets = [subject.target for subject in subjects]

    def make(network: "Network") -> "Tensor":
        return torch.stack(list(_occluded(run, network, x, targets).values()))

    maps = torch.stack([subject.values for subject in subjects])
    return sanity_check(run.network, make, maps, stages=run.options["stages"], seed=run.options["seed"])
