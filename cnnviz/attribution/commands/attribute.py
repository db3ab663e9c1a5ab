"""``cnnviz attribute``: which pixels the class score depends on, by gradients and other backward passes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from click import IntRange

from cnnviz.app.declare import option
from cnnviz.app.options import (
    BareOptions,
    ColormapOptions,
    OutputOptions,
    PhotoOptions,
    RawOptions,
    Score,
    SeedOptions,
    TargetOptions,
    layer_option,
    score_option,
    steps_option,
)
from cnnviz.app.param_types import Finite, Names, joined
from cnnviz.app.photo_command import photo_command
from cnnviz.app.records import PhotoRecord, RawRecord, Result, field
from cnnviz.app.session import PhotoInput, Session
from cnnviz.attribution.catalog import METHODS
from cnnviz.control import Control

if TYPE_CHECKING:
    from torch import Tensor

    from cnnviz.app.records import Picture
    from cnnviz.attribution.backprop import Attribution

NOTED_GAP = 0.05  # of a map's sum, from which on a note recommends more steps


@dataclass(frozen=True, kw_only=True)
class Options(PhotoOptions, TargetOptions, ColormapOptions, BareOptions, RawOptions, SeedOptions, OutputOptions):
    """Options of ``cnnviz attribute``."""

    method: tuple[str, ...] = option(f"One or several of {', '.join(METHODS)}.", default=("grad-cam",),
                                     type=Names(list(METHODS), "method"), multiple=True, callback=joined,
                                     metavar="NAME[,NAME...]")  # fmt: skip
    layer: str | None = layer_option("Layer of the CAMs, by its name in 'cnnviz layers'. "
                                     "[default: the last layer with maps]")  # fmt: skip
    steps: int = steps_option(50, "of integrated gradients, from black to the photo")
    samples: int = option("Noisy inputs of smoothgrad.", default=25, type=IntRange(1), metavar="N")
    noise: float = option("Standard deviation of smoothgrad's noise, as a share of the input's range.", default=0.15,
                          type=Finite(0), metavar="SHARE")  # fmt: skip
    score: Score = score_option("logit")

    def __post_init__(self) -> None:
        """Refuse a layer that no method uses."""
        users = [name for name, method in METHODS.items() if method.layer]
        if self.layer and not set(users) & set(self.method):
            raise click.UsageError(f"--layer goes with --method {' or '.join(users)}")


@dataclass(frozen=True, kw_only=True)
class Record(PhotoRecord, RawRecord):
    """JSON fields of ``cnnviz attribute``."""

    targets: list[int] = field("Indices of the classes of interest.", minItems=1)
    methods: list[str] = field("The attribution methods, in order.", minItems=1)
    layer: str | None = field("The layer of the CAMs; null where no method uses one.")
    gaps: dict[str, list[float]] = field("Of complete methods: the relative error of each map's sum against the "
                                         "difference of the score from a black input.")  # fmt: skip


@photo_command(Options, Record, suffix="-attribute.png", progress=("attributing", "passes"),
               clips_by="cnnviz heat")  # fmt: skip
def attribute(session: Session, photo: PhotoInput, options: Options, control: Control) -> Result[Record]:
    """Draw which pixels the class score depends on, by gradients.

    The score of the class is sent back through the network to the pixels, in one pass for most methods; several
    methods are drawn side by side. Red pixels raise the score, blue ones lower it; maps without a sign are orange.
    INPUTS are photos, folders of photos, or - for standard input.

    \b
    Examples:
      cnnviz attribute cat.jpg
      cnnviz attribute cat.jpg --method grad-cam,integrated-gradients,smoothgrad
      cnnviz attribute cat.jpg --method deeplift --class tabby --class lynx -o cat.png
      cat cat.jpg | cnnviz attribute - -o - > map.png
    """
    inputs, geometry = session.fit(photo.image)

    import numpy as np

    from cnnviz.attribution.figures.shown_maps import attribution_overlays

    network, found = session.network, _attributions(session, inputs, options, control)
    first = found[options.method[0]]
    record = Record(
        network=network.name, top=network.top(first.clean_logits), targets=list(first.targets), methods=list(found),
        layer=next((one.layer for one in found.values() if one.layer), None),
        gaps={name: list(one.gaps) for name, one in found.items() if one.gaps},
    )  # fmt: skip
    if options.bare:
        image: Picture = attribution_overlays(photo.image, geometry, found, options.colormap)
    else:
        from cnnviz.attribution.figures.attribution_maps import draw_attributions

        image = draw_attributions(photo.image, geometry, network, found, score=options.score,
                                  colormap=options.colormap, look=options.look)  # fmt: skip
    if not options.raw:
        return Result(record, image)
    maps = np.concatenate([one.maps.numpy() for one in found.values()])
    arrays = {
        "maps": maps,
        "photo_maps": geometry.to_photo(maps),
        "targets": np.array([target for one in found.values() for target in one.targets]),
        "methods": np.array([name for name, one in found.items() for _ in one.targets]),
        "clean_logits": first.clean_logits.numpy(),
    }
    return Result(record, image, arrays)


def _attributions(
    session: Session, inputs: "Tensor", options: Options, control: Control
) -> "dict[str, Attribution]":  # fmt: skip
    """Return the attribution by each method, and note where a map's sum is far off."""
    from cnnviz.attribution import backprop
    from cnnviz.attribution.class_score import MethodSettings

    settings = MethodSettings(options.steps, options.samples, options.noise, options.seed)
    found: dict[str, Attribution] = {}
    for name in options.method:
        found[name] = backprop.attribute(
            session.network, inputs, method=name, targets=session.class_indices(options.targets), layer=options.layer,
            score=options.score, settings=settings, control=control.named(name),
        )  # fmt: skip
        if (gap := max(found[name].gaps or (0,))) > NOTED_GAP:
            control.note(f"{name}: the map's sum is off by {gap:.0%}; more --steps reduce that")
    return found
