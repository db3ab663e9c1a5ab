"""``cnnviz inceptionism``: pictures of classes, made from noise by what a network knows of them."""

from typing import TYPE_CHECKING, Any

import click

from cnnviz.app import jobs, resume
from cnnviz.app import options as shared_options
from cnnviz.app.jobs import Job, Line
from cnnviz.app.param_types import ClassName, Finite
from cnnviz.app.session import Session
from cnnviz.synthesis.commands import dream_options
from cnnviz.synthesis.figures import classes

if TYPE_CHECKING:
    from cnnviz.synthesis.inceptionism import ClassVisualization

SETTINGS = ("method", "prior", "size", "steps", "step_size", "statistics_weight", "tv_weight", "decorrelation", "zoom",
            "rotate", "jitter", "blur", "seed")  # fmt: skip
ROBUST = {"prior", "statistics_weight", "decorrelation", "zoom", "rotate", "jitter", "blur"}

_prior = shared_options.together(
    click.option("--method", type=click.Choice(["robust", "lecture"]), default="robust", show_default=True,
                 help="The best recipe known to us, or that of the lecture: pixels, a label, total variation."),
    click.option("--prior", type=click.Choice(["laplacian", "fourier", "pixels"]), default="laplacian",
                 show_default=True, help="How a gradient becomes a step: all its bands equally strong, its spectrum "
                                         "divided by the square of the frequency, or as it is."),
    click.option("--statistics-weight", type=Finite(0), default=2.0, show_default=True, metavar="WEIGHT",
                 help="Of the distance of every batch normalisation's statistics from those of photographs."),
    click.option("--decorrelation", type=Finite(0, 1), default=0.7, show_default=True, metavar="SHARE",
                 help="How much red, green and blue move together, as in photographs."),
    click.option("--zoom", type=classes.Range(), default=(0.95, 1.8), show_default="0.95,1.8",
                 help="How much each glance at the picture enlarges it, from and to."),
    click.option("--rotate", type=Finite(0, 180), default=10.0, show_default=True, metavar="DEGREES",
                 help="How far each glance is turned, either way."),
    click.option("--blur", type=Finite(0, 20), default=3.0, show_default=True, metavar="PIXELS",
                 help="Largest deviation of the Gaussian that every second glance is blurred with."),
    shared_options.jitter(0),
)  # fmt: skip
_own = shared_options.together(
    click.option("--class", "targets", type=ClassName(), multiple=True, metavar="NAME|INDEX|all",
                 help="Class to make a picture of; give it several times for several."),
    click.option("--random", type=click.IntRange(1), metavar="N", help="N classes drawn at random, by --seed."),
    shared_options.judges,
    click.option("--size", type=click.IntRange(32, 4096), default=None, metavar="PIXELS",
                 help="Longer side of the picture. [default: 3/2 of the network's input; the lecture: its own]"),
    shared_options.steps(256, "for each picture"),
    shared_options.step_size(0.027),
    shared_options.tv_weight_of(None, "0; 0.5 for the lecture"),
    _prior,
    shared_options.save_every,
    shared_options.resume,
)  # fmt: skip


@click.command()
@shared_options.output_to("MODEL-inceptionism.png")
@_own
@shared_options.network_at_any_size
@shared_options.seed
@shared_options.json_lines
@shared_options.talk
def inceptionism(output: str | None, model: str, targets: tuple[str, ...], random: int | None, **options: Any) -> None:
    """Make a picture of a class from noise: what a network takes for a banana.

    One class gives its bare picture, several give a sheet, or a picture each with -o FOLDER/. Ctrl-C ends it early
    and keeps what there is; --resume passes over the pictures of a folder that are there.

    \b
    Examples:
      cnnviz inceptionism --class banana
      cnnviz inceptionism --class banana --class starfish --judge efficientnet_lite1 -o sheet.png
      cnnviz inceptionism --class all --resume -o classes/
      cnnviz inceptionism --class banana --method lecture --judge efficientnet_lite1
    """
    if bool(targets) == (random is not None):
        raise click.UsageError("give --class or --random, and not both")
    dream_options.check_saving(options["save_every"], output)
    _refuse_lecture(options["method"])
    run = Session([])
    chosen = classes.classes(run.network, targets, random, options["seed"])
    run.jobs, asked = classes.plan(run.network, model, chosen, output)

    def one(job: Job) -> Line:
        from cnnviz.io import write
        from cnnviz.synthesis.inceptionism import inceptionism

        own = asked[str(job.output)]
        recipe = run.recipe(None, {}, {"targets": [str(target) for target in own], "random": None})
        if options["resume"] and (numbers := resume.finished_numbers(job.output, recipe)):
            return dict(numbers)
        settings = {key: options[key] for key in SETTINGS}
        found: list[ClassVisualization] = []
        with resume.stop_on_interrupt(None) as stop, run.console.progress("climbing", "steps") as tick:
            for target in own:
                if found and stop():
                    break
                save = dream_options.saving(run, job, options["save_every"] if len(own) == 1 else None, recipe)
                told = classes.told(tick, save, len(found), len(own))
                found.append(inceptionism(run.network, target=target, progress=told, stop=stop, **settings))
        rows = [classes.tell(run.network, made) for made in found]
        for name in options["judges"]:
            classes.judge(run.load(name), run.network, found, rows)
        numbers = {"network": run.network.name, **(rows[0] if len(own) == 1 else {"pictures": rows})}
        numbers |= classes.unfinished(found, len(own))
        write.write_picture(str(job.output), classes.draw(found, rows, run.network.name, len(own) > 1),
                             {**recipe, "numbers": numbers})  # fmt: skip
        done = sum(made.done for made in found)
        line = dream_options.ended(run, numbers, done, len(own) * options["steps"])
        return line | {jobs.INTERRUPTED: stop.interrupted}

    run.over(one, tell=lambda _, line: classes.say(run.console, line))


def _refuse_lecture(method: str) -> None:
    """Refuse options that the lecture's recipe does not know."""
    params = click.get_current_context().command.params
    given = [param.opts[-1] for param in params if param.name in ROBUST and shared_options.asked(param.name)]
    if method == "lecture" and given:
        raise click.UsageError(f"{given[0]} has no part in --method lecture")
