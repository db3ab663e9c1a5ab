"""``cnnviz dream``: a photograph, noise or a clip, changed into what a layer answers to."""

from typing import TYPE_CHECKING, Any

import click

from cnnviz.app import options as shared_options
from cnnviz.app import resume
from cnnviz.app.jobs import INTERRUPTED, Job, Line
from cnnviz.app.param_types import Finite, Weighted
from cnnviz.app.session import NOISE, InputRecord, Session
from cnnviz.synthesis.commands import dream_clip, dream_options

if TYPE_CHECKING:
    from cnnviz.io.color import Photo


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

_aim = shared_options.together(
    click.option("--layer", type=Weighted(), multiple=True, metavar="NAME[=WEIGHT]",
                 help="Layer to dream of, by its name in 'cnnviz layers'; several with their weights, which are shares "
                      "of a step. [default: the network's, as this command's page lists]"),
    click.option("--channel", "channels", type=Weighted(), multiple=True, metavar="[LAYER:]N[=WEIGHT]",
                 help="Channel to dream of, in place of its whole layer; give it several times for several."),
    click.option("--class", "targets", type=Weighted(), multiple=True, metavar="NAME|INDEX[=WEIGHT]",
                 help="Class to dream of; give it several times for several."),
    click.option("--guide", "guides", type=shared_options.EXISTING, multiple=True, metavar="FILE",
                 help="Dream of what is in this picture; give it several times for several."),
    click.option("--caricature", is_flag=True, help="Dream of what the layer sees in the photo itself: more of it."),
)  # fmt: skip
_own = shared_options.together(
    click.option("--size", "longer", type=click.IntRange(16), metavar="PIXELS",
                 help="Longer side of the picture. [default: the photo's own; 512 for noise]"),
    click.option("--mask", "mask_file", type=shared_options.EXISTING, metavar="FILE",
                 help="Dream where this picture, of the photo's size, is white; where it is black, the photo stays."),
    click.option("--original-colors", is_flag=True, default=False,
                 help="Change the brightness alone and keep the photo's colours."),
    click.option("--strength", type=Finite(0), default=1.0, show_default=True,
                 help="How much of the dream is laid over the photo, 1 as dreamt."),
    click.option("--approx", is_flag=True, default=False,
                 help="Dream over large pictures tile by tile even where cells see the whole picture: each tile then "
                      "sees only what is near."),
    shared_options.steps(10, "in each octave"),
    shared_options.octaves,
    shared_options.jitter(16),
    shared_options.step_size(0.015),
    shared_options.tv_weight,
    shared_options.save_every,
)  # fmt: skip
_moving = shared_options.together(
    click.option("--zoom", type=click.IntRange(2), metavar="FRAMES",
                 help="Make a clip of so many frames that goes deeper and deeper into the photo."),
    click.option("--rate", type=Finite(1, 240), metavar="FRAMES",
                 help="Frames a second of --zoom. [default: 25]"),
    click.option("--layers", type=Layers(), metavar="NAME,NAME...",
                 help="Layers of a clip or a zoom one after the other, each giving way to the next."),
    shared_options.resume,
)  # fmt: skip


@click.command()
@shared_options.inputs
@shared_options.output
@_aim
@_own
@_moving
@shared_options.reading
@shared_options.network_at_any_size
@shared_options.seed
@shared_options.json_lines
@shared_options.talk
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
    dream_options.check_saving(options["save_every"], output)
    dream_options.wanted(options)
    jobs, moving = dream_clip.jobs(inputs, output, options)
    run = Session(jobs)

    def one(job: Job) -> Line:
        if job.source in moving:
            return _clip(run, job)
        photo, source = _start(run, job, longer, options["seed"])
        mask = dream_options.mask(options["mask_file"], photo, longer, options)
        guides = [dream_options.read_guide(path, options) for path in options["guides"]]
        photo = dream_options.resize(photo, longer)
        aim = dream_options.aim(run.network, options, guides)

        from cnnviz.io import write
        from cnnviz.synthesis.dream import dream

        recipe = run.recipe(source, {}, {"mask_file": options["mask_file"]})
        save = dream_options.saving(run, job, options["save_every"], recipe)
        settings = {key: options[key] for key in SETTINGS}
        with resume.stop_on_interrupt(None) as stop, run.console.progress("dreaming", "steps") as tick:
            found = dream(
                run.network, dream_options.tensor(photo), aim=aim,
                mask=None if mask is None else dream_options.tensor(mask),
                progress=dream_options.told(tick, save), stop=stop, **settings,
            )  # fmt: skip
        numbers = dream_options.tell(found, aim, run.network)
        write.write_picture(str(job.output), dream_options.pixels(found.picture[0]), {**recipe, "numbers": numbers})
        return dream_options.ended(run, numbers, found.done, found.of) | {INTERRUPTED: stop.interrupted}

    run.over(one)


def _clip(run: Session, job: Job) -> Line:
    o = run.options
    plan = dream_clip.planned(run, job, lambda job: _start(run, job, o["longer"], o["seed"]))
    from cnnviz.app import clip_job

    return clip_job.make(run, job, plan)


def _start(run: Session, job: Job, longer: int | None, seed: int) -> "tuple[Photo, InputRecord | None]":
    """Return the picture that a dream begins with, and what the recipe says of it: nothing of noise."""
    if job.source != NOISE:
        return run.read(job)
    from cnnviz.synthesis.dream import grey_noise

    side = longer or dream_options.NOISE_SIDE
    return dream_options.pixels(grey_noise((side, side), seed)[0]), None
