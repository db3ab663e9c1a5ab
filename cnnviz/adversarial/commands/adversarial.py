"""``cnnviz adversarial``: the smallest change of a photograph whose file a network takes for something else."""

from typing import Any

import click

from cnnviz.adversarial import diagnostics, file_attack
from cnnviz.adversarial.commands import external_methods, messages, universal
from cnnviz.app import options
from cnnviz.app.jobs import Job, Line, add_second_file, plan_jobs
from cnnviz.app.param_types import Finite, ModelName, Survive, joined
from cnnviz.app.session import Session, sheet_recipe

_own = options.together(
    options.goal("any but the network's own first"),
    options.true_class,
    external_methods.method,
    click.option("--norm", type=click.Choice(["linf", "l2", "l1", "l0"]), default="linf", show_default=True,
                 help="What is kept smallest: the largest change of one value, the sum of squares, the sum, or the "
                      "count of changed values."),
    options.eps(16),
    options.steps(40, "for each level"),
    click.option("--thorough", is_flag=True, default=False,
                 help="Take 95 gradients more for a smaller change in --norm l2, l1 or l0."),
    click.option("--margin", type=Finite(0), default=0.0, show_default=True, metavar="LOGITS",
                 help="By how much the new class must lead, in logits: more survives other programs' resize."),
    click.option("--survive", type=Survive(), multiple=True, callback=joined, metavar="NAMES",
                 help="What the change must survive besides, with commas: jpeg90, jpeg75, webp80, resize, bilinear, "
                      "blur."),
    click.option("--transfer", type=ModelName(), multiple=True, metavar="MODEL",
                 help="Fool this network too; give it several times for several."),
    options.judges,
    click.option("--report", type=click.Path(), metavar="FILE.png|FOLDER/",
                 help="Also draw the photo, the change made visible, and the result, each with what it is taken for."),
    options.keep_failed,
)  # fmt: skip


@click.command()
@options.inputs
@options.output
@_own
@options.photo
@options.network
@options.seed
@options.json_lines
@options.talk
def adversarial(
    inputs: tuple[str, ...], output: str | None, report: str | None, keep_failed: bool, fit: str, **o: Any
) -> None:
    """Change a photo as little as it takes for a network to see something else in its file.

    The photo keeps its size and its kind, its values change by whole levels, and the written file is what is judged:
    where it does not do what was asked for, nothing is written and the exit status is 4. INPUTS are photos, folders
    of photos, or -.

    \b
    Examples:
      cnnviz adversarial cat.jpg
      cnnviz adversarial cat.jpg --target-class toaster --report report.png
      cnnviz adversarial cat.jpg --norm l2 --json | jq .psnr
      cnnviz adversarial cat.jpg --method ddn
      cnnviz adversarial photos/ --method universal -o fooled/
      cnnviz adversarial cat.jpg --survive jpeg90,jpeg75 --eps 2 -o toast.jpg
    """
    jobs = plan_jobs(inputs, output, "-adversarial.png")
    if report:
        jobs = add_second_file(jobs, report, "-adversarial-report.png", "--report")
    if o["method"] == external_methods.UNIVERSAL:
        universal.settled(o, jobs, fit)
        universal.Universal(jobs, fit, keep_failed).over()  # which leaves
    o |= external_methods.method_defaults(o)
    if o["thorough"] and o["norm"] == "linf":
        raise click.UsageError("--thorough goes with --norm l2, l1 or l0")
    run = Session(jobs)

    def one(job: Job) -> Line:
        from cnnviz.io import write

        original, source = run.original(job)
        networks = file_attack.attacked_networks(run, o["transfer"], o["judges"])
        subjects = [file_attack.attacked_photo(original, network, fit, str(job.output)) for network in networks]
        clean = subjects[0].logits(original.photo(original.values))
        wanted = {key: o[key] for key in ("goal", "true", "margin", "survive")}
        aim, attacked = (
            file_attack.criterion_for(run.network, clean, **wanted),
            file_attack.target_model(run, subjects, o["survive"]),
        )
        with run.console.progress("attacking", "passes") as tick:
            found, told = file_attack.search(attacked, original, aim, o, tick)
        warned = diagnostics.diagnose(subjects[0], clean, attacked.passes, aim.target)
        diagnostics.say(run.console, job, warned)
        numbers = {"network": run.network.name, "clean_top": run.network.top(clean), **told, "warnings": warned}
        made = file_attack.WrittenAttack(subjects[0], aim, found)
        numbers |= made.judge(run)
        recipe = run.recipe(source, numbers)
        missed = messages.unmet_requirements(numbers, o)
        if not missed or keep_failed:
            made.write(recipe)
        if job.extra:
            write.write_picture(
                job.extra, made.report(numbers, missed), sheet_recipe(recipe, "report", str(job.output))
            )
        return messages.missed(run, job, numbers, missed, keep_failed) if missed else numbers

    run.over(one, tell=lambda _, line: messages.say(run.console, line))
