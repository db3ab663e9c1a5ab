"""``cnnviz sticker``: a printable patch in a region of a photo, seen as another class from many sides."""

from typing import Any

import click

from cnnviz.adversarial import patch_report
from cnnviz.adversarial.patch_scene import PatchScene, Region, read_region
from cnnviz.app import options
from cnnviz.app.jobs import Job, Line, add_second_file, plan_jobs
from cnnviz.app.param_types import Finite
from cnnviz.app.session import Session, sheet_recipe

_own = options.together(
    click.option("--region", type=Region(), required=True, metavar="POLYGON|MASK",
                 help="Where the sticker goes: corners of a polygon in pixels of the photo, such as '40,60 200,60 "
                      "200,180 40,180' (four, clockwise from the upper left, are a rectangle in perspective), or a "
                      "picture of the photo's size that is white there."),
    options.goal(None),
    options.steps(600, "of one pose each"),
    click.option("--print-size", type=Finite(10, 500), default=100.0, show_default=True, metavar="MM",
                 help="Longer side of the sticker as printed, in millimetres; the file has 300 dots an inch."),
    click.option("--renders", type=click.Path(), metavar="FILE.png|FOLDER/",
                 help="Also draw what the network sees and says of sticker, controls and bare photo, in some of the "
                      "poses."),
    click.option("--least", type=Finite(0, 1), default=0.5, show_default=True, metavar="SHARE",
                 help="Share of the held-out poses that must be taken for the class; below it the exit status is 4."),
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
def sticker(
    inputs: tuple[str, ...], output: str | None, renders: str | None, keep_failed: bool, fit: str, **o: Any
) -> None:
    """Make a sticker that turns what is in a photo into another class, from many sides: a simulation.

    The result is the sticker alone, in print size. It is made for random turns, tilts, distances, light, noise and
    backgrounds, and judged in 200 others, beside a grey and a noise sticker in its place. All of them are computed from
    the one photo: nothing is said of a printed sticker before a camera. INPUTS are photos, folders of photos, or -.

    \b
    Examples:
      cnnviz sticker sign.jpg --region '40,60 200,60 200,180 40,180' --target-class toaster
      cnnviz sticker sign.jpg --region mask.png --target-class banana --renders renders.png
      cnnviz sticker sign.jpg --region mask.png --target-class 954 --json | jq .share
    """
    jobs = plan_jobs(inputs, output, "-sticker.png", (".png",))
    if renders:
        jobs = add_second_file(jobs, renders, "-sticker-renders.png", "--renders")
    run = Session(jobs)

    def one(job: Job) -> Line:
        photo, source = run.read(job)
        place = read_region(o["region"], photo, o)

        from cnnviz.adversarial.patch import patch
        from cnnviz.io import write
        from cnnviz.models.preprocess import geometry_for

        geometry = geometry_for(photo.shape[:2], run.network, fit)
        subject = PatchScene(photo, place, geometry, run.network, run.network.class_index(o["goal"]))
        clean = subject.check()
        with run.console.progress("painting", "steps") as tick:
            found = patch(
                run.network, subject.scene(), subject.texels(), subject.goal, steps=o["steps"], seed=o["seed"],
                progress=lambda step, of, loss: tick(step, of, f"loss {loss:.3g}"),
            )  # fmt: skip
        prints = patch_report.prints(subject, found.texture, o["print_size"], o["seed"])
        with run.console.progress("judging", "looks") as tick:
            numbers = patch_report.judged(subject, prints, clean, o["seed"], tick)
        numbers["passes"] = {"forward": found.passes, "backward": found.passes}
        recipe = run.recipe(source, numbers)
        reached = numbers["share"] >= o["least"]
        if reached or keep_failed:
            write.write_bytes(str(job.output), patch_report.encoded(str(job.output), prints["sticker"], recipe))
        if job.extra:
            drawn = patch_report.sheet(subject, prints, numbers, o["seed"])
            write.write_picture(job.extra, drawn, sheet_recipe(recipe, "renders", str(job.output)))
        return numbers if reached else patch_report.missed(run, job, numbers, keep_failed)

    run.over(one, tell=lambda _, line: patch_report.say(run.console, line, o["goal"]))
