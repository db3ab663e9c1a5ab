"""``cnnviz visualize``: pictures that a layer's channels answer to most."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cnnviz.app import jobs, resume
from cnnviz.app.jobs import Job, Line
from cnnviz.app.options import (
    bare,
    json_lines,
    network_at_any_size,
    output_to,
    require_layer,
    seed,
    step_size,
    steps,
    talk,
    together,
    tv_weight,
)
from cnnviz.app.param_types import Weighted, weighted
from cnnviz.app.session import Session
from cnnviz.errors import InvalidRequest
from cnnviz.synthesis.commands.dream_options import ended, pixels, told

if TYPE_CHECKING:
    from cnnviz.io.color import Photo
    from cnnviz.models.features import FeatureExtractor
    from cnnviz.models.network import Network
    from cnnviz.synthesis.objectives import Term
    from cnnviz.synthesis.visualize import Visualization

FIRST = tuple(map(str, range(9)))  # channels shown where none is named
SETTINGS = ("diversity", "size", "steps", "step_size", "tv_weight", "seed")

_own = together(
    click.option("--layer", default=None, metavar="NAME",
                 help="Layer to visualize, by its name in 'cnnviz layers'. [required]"),
    click.option("--channel", "channels", multiple=True, metavar="N|N-N",
                 help="Channel to visualize, or channels from one to another such as 0-15; give it several times for "
                      "several. [default: 0-8]"),
    click.option("--neuron", metavar="middle|Y,X",
                 help="One unit of each channel and not the mean of its map: that in the middle, or at row Y and "
                      "column X, counted from 0."),
    click.option("--direction", type=Weighted(), multiple=True, metavar="N=WEIGHT",
                 help="Channels that together make one direction, which is visualized in place of channels by "
                      "themselves; give it several times."),
    click.option("--diversity", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N",
                 help="So many pictures of each channel, which keep away from each other."),
    click.option("--size", type=click.IntRange(32), default=224, show_default=True, metavar="PIXELS",
                 help="Longer side of the picture."),
    steps(96, "for each picture"),
    step_size(0.017),
    tv_weight,
    bare,
)  # fmt: skip


@click.command()
@output_to("MODEL-visualize.png")
@_own
@network_at_any_size
@seed
@json_lines
@talk
def visualize(output: str | None, model: str, **options: Any) -> None:
    """Make the pictures that a layer's channels answer to most: feature visualization.

    From grey noise, seen from near and far. Several channels make one sheet. Ctrl-C ends it early and keeps what
    there is.

    \b
    Examples:
      cnnviz visualize --layer blocks.4 --channel 20
      cnnviz visualize --layer blocks.4 --channel 0-15 -o sheet.png
      cnnviz visualize --layer blocks.4 --channel 20 --diversity 4
      cnnviz visualize --layer blocks.4 --direction 3=1 --direction 20=0.5 --bare -o direction.png
    """
    layer = require_layer(options["layer"], model)
    if options["direction"] and (options["channels"] or options["neuron"]):
        raise click.UsageError("--direction goes without --channel and --neuron")
    numbers = _numbers(options["channels"])
    weights = {_number(name, "--direction"): weight for name, weight in map(weighted, options["direction"])}
    position = _position(options["neuron"])
    run = Session(jobs.plan_network_job(model, output, "-visualize.png"))

    def one(job: Job) -> Line:
        network = run.network

        from cnnviz.io import write
        from cnnviz.synthesis.visualize import channel_count, channel_terms, check_channel, direction_term, visualize

        def terms(trunk: "FeatureExtractor") -> "Sequence[Term]":
            if weights:
                return [direction_term(trunk, layer, weights)]
            have = channel_count(trunk, layer)
            for number in numbers if options["channels"] else ():
                check_channel(number, have, layer)
            return channel_terms(layer, [number for number in numbers if number < have], position)

        settings = {key: options[key] for key in SETTINGS}
        with resume.stop_on_interrupt(None) as stop, run.console.progress("climbing", "steps") as tick:
            found = visualize(network, layer=layer, terms=terms, progress=told(tick), stop=stop, **settings)
        shown = [str(number) for number in numbers[: len(found.pictures)]] if not weights else ["direction"]
        line = _tell(network, found, layer, numbers, weights, options)
        picture = _draw(network, found, shown, layer, options)
        write.write_picture(str(job.output), picture, run.recipe(None, line))
        return ended(run, line, found.done, found.of) | {jobs.INTERRUPTED: stop.interrupted}

    run.over(one)


def _numbers(chosen: Sequence[str]) -> list[int]:
    """Return the channels that --channel asks for, each once. Raises UsageMistake for what is no number or range."""
    numbers: list[int] = []
    for text in chosen or FIRST:
        ends = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", text)
        if not ends or int(ends[2] or ends[1]) < int(ends[1]):
            raise InvalidRequest(f"--channel {text}: is no number, nor two with a dash such as 0-15")
        numbers += range(int(ends[1]), int(ends[2] or ends[1]) + 1)
    return list(dict.fromkeys(numbers))


def _number(text: str, flag: str) -> int:
    if not text.isdecimal():
        raise InvalidRequest(f"{flag} {text}: is no channel's number")
    return int(text)


def _position(text: str | None) -> tuple[int, int] | str | None:
    """Return the unit's place that --neuron asks for: "middle", (y, x) or None."""
    if text in (None, "middle"):
        return text
    place = re.fullmatch(r"(\d{1,6}),(\d{1,6})", str(text))
    if not place:
        raise InvalidRequest(f"--neuron {text}: is neither 'middle' nor two whole numbers such as 3,5")
    return int(place[1]), int(place[2])


def _tell(
    network: "Network", found: "Visualization", layer: str, numbers: list[int], weights: dict[int, float],
    options: dict[str, Any],
) -> Line:  # fmt: skip
    """Return the numbers of the pictures, for the recipe and --json."""
    unit = "direction" if weights else "neuron" if options["neuron"] else "channel"
    line: Line = {
        "network": network.name,
        "layer": layer,
        "unit": unit,
        "channels": list(weights) or numbers[: len(found.pictures)],
        "size": list(found.pictures.shape[-2:]),
        "objectives": [[round(value, 6) for value in row] for row in found.values.tolist()],
    }
    return line if found.done == found.of else line | {"steps_done": found.done}


def _draw(network: "Network", found: "Visualization", shown: list[str], layer: str, options: dict[str, Any]) -> "Photo":
    """Return the pictures as one sheet, with captions unless bare: a row for each channel where it has several."""
    import numpy as np

    from cnnviz.figures import grid

    rows = [[pixels(picture) for picture in row] for row in found.pictures]
    several = options["diversity"] > 1
    across = options["diversity"] if several else grid.columns(len(rows), 1.2)
    flat = [picture for row in rows for picture in row]
    if options["bare"]:
        blank = [np.full_like(flat[0], 255)] * (-len(flat) % across)
        full = [*flat, *blank]
        lines = [np.concatenate(full[first : first + across], 1) for first in range(0, len(full), across)]
        return np.concatenate(lines)
    values = found.values.flatten().tolist()
    labels = ["" for _ in flat] if several else shown
    made = [
        grid.Tile(picture, label, f"{value:.3g}") for picture, label, value in zip(flat, labels, values, strict=True)
    ]
    what = {"direction": "a direction of its channels"}.get(shown[0], f"channel{'s' * (len(shown) > 1)}")
    words = f"{network.name}; what {'each' if len(shown) > 1 else 'it'} answers to most, from noise"
    if found.done < found.of:
        words = f"partial, {found.done} of {found.of} steps; {words}"
    return grid.draw_grid(made, across, f"{layer}   {what}", words, rows=shown if several else ())
