"""What ``cnnviz inceptionism`` makes: which pictures of which classes, what is told of them, and their sheet."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnviz.app.console import Console, ReportProgress
from cnnviz.app.jobs import Job, Line, is_folder, plan_network_job
from cnnviz.app.session import class_indices
from cnnviz.errors import InvalidRequest
from cnnviz.synthesis.commands import dream_options

if TYPE_CHECKING:
    from cnnviz.io.color import Photo
    from cnnviz.models.network import Network
    from cnnviz.synthesis.inceptionism import ClassVisualization, Progress

ALL = "all"


class Range(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Two positive numbers, from and to, such as 0.9,2; one number stands for both."""

    name = "from,to"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        """Return two floats."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = [float(part) for part in str(value).split(",")]
        except ValueError:
            numbers = []
        if len(numbers) not in (1, 2) or not 0.1 <= numbers[0] <= numbers[-1] <= 100:
            self.fail(f"{value!r} is not two numbers from 0.1 to 100, such as 0.9,2", param, ctx)
        return numbers[0], numbers[-1]


def classes(network: "Network", words: Sequence[str], random: int | None, seed: int) -> list[int]:
    """Return the classes that --class and --random ask for, each once, those drawn in the order of the draw."""
    import torch

    with torch.inference_mode():
        count = network(torch.full((1, 3, *network.size), 0.5)).shape[1]
    if random is not None:
        if random > count:
            raise InvalidRequest(f"--random {random}: {network.name} has {count} classes")
        drawn: list[int] = torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:random].tolist()
        return drawn
    chosen = list(range(count)) if ALL in words else class_indices(network, tuple(words)) or []
    if beyond := [index for index in chosen if index >= count]:
        raise InvalidRequest(f"no class {beyond[0]}: {network.name} has {count}, counted from 0")
    return chosen


def plan(
    network: "Network", model: str, chosen: list[int], target: str | None
) -> tuple[list[Job], dict[str, list[int]]]:
    """Return the jobs, and the classes of each by its output: one job for a file, one for each class in a folder."""
    (whole,) = plan_network_job(model, target, "-inceptionism.png")
    if target is None or not is_folder(target):
        return [whole], {str(whole.output): chosen}
    names = [f"{index:03}-{re.sub(r'[^a-z0-9]+', '-', network.class_name(index).lower())}.png" for index in chosen]
    folder = Path(str(whole.output)).parent
    jobs = [Job(model, output=str(folder / name), tree=True) for name in names]
    return jobs, {str(job.output): [index] for job, index in zip(jobs, chosen, strict=True)}


def told(
    tick: ReportProgress, save: "Callable[[Progress], None]", before: int, count: int
) -> "Callable[[Progress], None]":
    """Return what is told of every step of one picture of ``count``, ``before`` of which are made."""

    def tell(at: "Progress") -> None:
        tick(before * at.of + at.step, count * at.of, f"logit {at.value:.4g}")
        save(at)

    return tell


def tell(network: "Network", made: "ClassVisualization") -> Line:
    """Return the numbers of one picture, for the recipe and --json."""
    share, before = (float(logits.double().softmax(0)[made.target]) for logits in (made.logits, made.before))
    return {
        "target": made.target,
        "class": network.class_name(made.target),
        "probability": round(share, 6),
        "start_probability": round(before, 6),
        "size": list(made.picture.shape[-2:]),
        "judges": [],
    }


def judge(other: "Network", network: "Network", found: "Sequence[ClassVisualization]", rows: Sequence[Line]) -> None:
    """Add to each row how another network ranks the class of the picture as it is stored, 8 bits, by its own recipe."""
    import torch

    from cnnviz.models.preprocess import fit

    if other.classes != network.classes:
        raise InvalidRequest(f"--judge {other.name}: knows other classes than {network.name}")
    for made, row in zip(found, rows, strict=True):
        with torch.inference_mode():
            logits = other(fit(dream_options.pixels(made.picture[0]), other)[0])[0]
        rank = int((logits > logits[made.target]).sum()) + 1
        share = float(logits.double().softmax(0)[made.target])
        top = other.top(logits)
        row["judges"].append({"network": other.name, "rank": rank, "probability": round(share, 6), "top": top})


def unfinished(found: "Sequence[ClassVisualization]", count: int) -> Line:
    """Return what is told of pictures that were stopped: the steps done."""
    done = sum(made.done for made in found)
    return {} if done == count * found[0].of else {"steps_done": done}


def draw(found: "Sequence[ClassVisualization]", rows: Sequence[Line], name: str, sheet: bool) -> "Photo":
    """Return the bare picture of one class, or a sheet of several with their names and probabilities."""
    from cnnviz.figures import grid

    pictures = [dream_options.pixels(made.picture[0]) for made in found]
    if not sheet:
        return pictures[0]
    words = [row["judges"][0] if row["judges"] else row for row in rows]
    made = [
        grid.Tile(picture, row["class"], f"{told['probability']:.0%}")
        for picture, row, told in zip(pictures, rows, words, strict=True)
    ]
    asked = rows[0]["judges"][0]["network"] if rows[0]["judges"] else name
    title = f"What {name} takes for these classes"
    return grid.draw_grid(made, grid.columns(len(made), 1.5), title, f"from noise; probability by {asked}")


def say(console: Console, line: Line) -> None:
    """Tell a person how the judges rank what was made."""
    for row in line.get("pictures", [line]):
        for seen in row.get("judges", ()):
            first = seen["top"][0]["name"]
            words = "" if seen["rank"] == 1 else f", behind {first}"
            share = f"p {seen['probability']:.3f}"
            console.note(f"{row['class']}: number {seen['rank']} to {seen['network']}, {share}{words}")
