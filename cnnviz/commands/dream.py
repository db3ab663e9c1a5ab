"""``cnnviz dream``: a photograph, noise or a clip, changed into what a layer answers to."""

from typing import TYPE_CHECKING, Any

import click

from cnnviz import batch
from cnnviz.batch import Job, Line
from cnnviz.commands import _clips, _dream, _partial
from cnnviz.commands import _options as shared
from cnnviz.commands._run import NOISE, Run, Source

if TYPE_CHECKING:
    from cnnviz.images import Photo


class Layers(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Names of layers with commas between them."""

    name = "layers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return two names or more."""
        names = value if isinstance(value, tuple) else tuple(part.strip() for part in str(value).split(","))
        if len(names) < 2 or not all(names) or any("=" in name for name in names):
            self.fail(f"{value!r} is not two layers or more, with commas between them and no weights", param, ctx)
        return names


SETTINGS = (
    "steps",
    "octaves",
    "octave_scale",
    "jitter",
    "step_size",
    "tv_weight",
    "strength",
    "original_colors",
    "seed",
    "approx",
)

_aim = shared.together(
    click.option("--layer", type=shared.Weighted(), multiple=True, metavar="NAME[=WEIGHT]",
                 help="Layer to dream of, by its name in 'cnnviz layers'; several with their weights, which are shares "
                      "of a step. [default: the network's, as this command's page lists]"),
    click.option("--channel", "channels", type=shared.Weighted(), multiple=True, metavar="[LAYER:]N[=WEIGHT]",
                 help="Channel to dream of, in place of its whole layer; give it several times for several."),
    click.option("--class", "targets", type=shared.Weighted(), multiple=True, metavar="NAME|INDEX[=WEIGHT]",
                 help="Class to dream of; give it several times for several."),
    click.option("--guide", "guides", type=shared.EXISTING, multiple=True, metavar="FILE",
                 help="Dream of what is in this picture; give it several times for several."),
    click.option("--caricature", is_flag=True, help="Dream of what the layer sees in the photo itself: more of it."),
)  # fmt: skip
_own = shared.together(
    click.option("--size", "longer", type=click.IntRange(16), metavar="PIXELS",
                 help="Longer side of the picture. [default: the photo's own; 512 for noise]"),
    click.option("--mask", "mask_file", type=shared.EXISTING, metavar="FILE",
                 help="Dream where this picture, of the photo's size, is white; where it is black, the photo stays."),
    click.option("--original-colors", is_flag=True, default=False,
                 help="Change the brightness alone and keep the photo's colours."),
    click.option("--strength", type=shared.Finite(0), default=1.0, show_default=True,
                 help="How much of the dream is laid over the photo, 1 as dreamt."),
    click.option("--approx", is_flag=True, default=False,
                 help="Dream over large pictures tile by tile even where cells see the whole picture: each tile then "
                      "sees only what is near."),
    shared.steps(10, "in each octave"),
    shared.octaves,
    shared.jitter(16),
    shared.step_size(0.015),
    shared.tv_weight,
    shared.save_every,
)  # fmt: skip
_moving = shared.together(
    click.option("--zoom", type=click.IntRange(2), metavar="FRAMES",
                 help="Make a clip of so many frames that goes deeper and deeper into the photo."),
    click.option("--rate", type=shared.Finite(1, 240), metavar="FRAMES",
                 help="Frames a second of --zoom. [default: 25]"),
    click.option("--layers", type=Layers(), metavar="NAME,NAME...",
                 help="Layers of a clip or a zoom one after the other, each giving way to the next."),
    shared.resume,
)  # fmt: skip


@click.command()
@shared.inputs
@shared.output
@_aim
@_own
@_moving
@shared.reading
@shared.network_at_any_size
@shared.seed
@shared.json_lines
@shared.talk
def dream(inputs: tuple[str, ...], output: str | None, longer: int | None, **options: Any) -> None:
    """Change a photograph, noise or a clip into what a layer answers to: deep dream.

    INPUTS are photos, folders of photos, clips, - for standard input, or the word noise. The picture has the photo's
    own size; a clip keeps its frames, times and sound, and goes to STEM-dream.mp4, or to a name that ends in .mp4,
    .mov, .mkv, .webm, .gif, .webp or .png. Ctrl-C ends it early and keeps what there is; of a clip, --resume goes on.

    \b
    Examples:
      cnnviz dream cat.jpg
      cnnviz dream noise --layer blocks.5 --size 800 -o noise.png
      cnnviz dream cat.jpg --layer blocks.3=0.5 --layer blocks.4 --original-colors
      cnnviz dream cat.jpg --guide flowers.jpg --mask sky.png -o cat.png
      cnnviz dream clip.mp4 --octaves 3 -o dreamt.webm
      cnnviz dream cat.jpg --zoom 150 --layers blocks.3,blocks.4,blocks.5 -o zoom.mp4
    """
    _dream.check_saving(options["save_every"], output)
    _dream.wanted(options)
    jobs, moving = _clips.jobs(inputs, output, options)
    run = Run(jobs)

    def one(job: Job) -> Line:
        if job.source in moving:
            return _clip(run, job)
        photo, source = _start(run, job, longer, options["seed"])
        mask = _dream.mask(options["mask_file"], photo, longer, options)
        guides = [_dream.read_guide(path, options) for path in options["guides"]]
        photo = _dream.resize(photo, longer)
        aim = _dream.aim(run.network, options, guides)

        from cnnviz import output
        from cnnviz.methods.dream import dream

        recipe = run.recipe(source, {}, {"mask_file": options["mask_file"]})
        save = _dream.saving(run, job, options["save_every"], recipe)
        settings = {key: options[key] for key in SETTINGS}
        with _partial.stopping(None) as stop, run.console.progress("dreaming", "steps") as tick:
            found = dream(
                run.network, _dream.tensor(photo), aim=aim, mask=None if mask is None else _dream.tensor(mask),
                progress=_dream.told(tick, save), stop=stop, **settings,
            )  # fmt: skip
        numbers = _dream.tell(found, aim, run.network)
        output.write_picture(str(job.output), _dream.pixels(found.picture[0]), {**recipe, "numbers": numbers})
        return _dream.ended(run, numbers, found.done, found.of) | {batch.INTERRUPTED: stop.interrupted}

    run.over(one)


def _clip(run: Run, job: Job) -> Line:
    o = run.options
    plan = _clips.planned(run, job, lambda job: _start(run, job, o["longer"], o["seed"]))
    from cnnviz.commands import _film

    return _film.make(run, job, plan)


def _start(run: Run, job: Job, longer: int | None, seed: int) -> "tuple[Photo, Source | None]":
    """Return the picture that a dream begins with, and what the recipe says of it: nothing of noise."""
    if job.source != NOISE:
        return run.read(job)
    from cnnviz.methods.dream import from_nothing

    side = longer or _dream.NOISE_SIDE
    return _dream.pixels(from_nothing((side, side), seed)[0]), None
