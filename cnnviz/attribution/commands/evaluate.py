"""``cnnviz evaluate``: whether a map shows what the class score depends on."""

from functools import partial

from cnnviz.app.photo_command import photo_command
from cnnviz.app.records import Result
from cnnviz.app.session import PhotoInput, Session
from cnnviz.attribution.commands.evaluation_fields import Options, Record, check_files, map_record, text_table
from cnnviz.control import Control


@photo_command(Options, Record, suffix="-evaluate.png", progress=("evaluating", "passes"), check=check_files)
def evaluate(session: Session, photo: PhotoInput, options: Options, control: Control) -> Result[Record]:
    """Measure whether a map shows what the class score depends on.

    The most important pixels of the map are deleted, and inserted into a blurred photo, step by step: with a faithful
    map the probability of the class falls, and rises, faster than with the same map shifted. With --mask or --box also
    whether the map points at the object; with --randomize whether it depends on the network's weights. INPUTS are
    photos, folders of photos, or - for standard input.

    \b
    Examples:
      cnnviz evaluate cat.jpg
      cnnviz evaluate cat.jpg --box 40,20,300,260 --randomize
      cnnviz evaluate cat.jpg --map a.npy --map b.npy --label Grad-CAM --label RISE
      cnnviz evaluate photos/ --map maps/ --json | jq '.maps[0].deletion_auc'
    """
    from cnnviz.attribution import map_files

    job = photo.job
    find = partial(map_files.matching_file, folder=job.folder, stem=job.stem)
    paths = [find(path, endings=map_files.MAP_ENDINGS) for path in options.map]
    mask_path = find(options.mask, endings=map_files.MASK_ENDINGS) if options.mask else None
    files = [map_files.read_maps(path) for path in paths]
    mask = map_files.read_object_mask(photo.image, mask_path, options.box, options.max_pixels)
    inputs, geometry = session.fit(photo.image)

    import torch

    from cnnviz.attribution import evaluation
    from cnnviz.attribution.figures.evaluation import draw_evaluation
    from cnnviz.attribution.figures.evaluation_maps import Evaluated

    network, wanted = session.network, session.class_indices(options.targets)
    if files:
        maps = map_files.read_scored_maps(
            network, inputs, geometry, files, targets=wanted, labels=options.label, sha256=photo.record.sha256,
            view={name: getattr(options, name) for name in map_files.VIEW},
        )  # fmt: skip
    else:
        maps = map_files.own_maps(network, inputs, wanted, control.named("occluding"))
    settings = evaluation.EvaluationSettings(
        options.steps, options.deletion_baseline, options.insertion_baseline, options.shifts, options.tolerance,
        options.randomize_stages, options.seed,
    )  # fmt: skip
    targets = [one.target for one in maps]
    found = evaluation.evaluate(
        network, inputs, torch.stack([one.values for one in maps]), targets, mask=mask, geometry=geometry,
        compute=partial(map_files.occlusion_maps, inputs, targets) if options.randomize else None, settings=settings,
        control=control,
    )  # fmt: skip
    rows = [map_record(one.label, score, found.curves, index)
            for index, (one, score) in enumerate(zip(maps, found.scores, strict=True))]  # fmt: skip
    record = Record(network=network.name, top=network.top(found.curves.clean_logits), maps=rows)
    figure = draw_evaluation(photo.image, geometry, network, Evaluated(maps, found),
                             colormap=options.colormap, look=options.look)  # fmt: skip
    return Result(record, figure, text=text_table(job.source, rows), recorded_files={"map": paths, "mask": mask_path})
