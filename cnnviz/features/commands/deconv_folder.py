"""Figure 2 of the deconvnet's paper from a folder: one pass for the strongest photos of each map, then pictures."""

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnviz.app import resume
from cnnviz.app.jobs import SCHEMA, Job, Line, find_inputs, print_line
from cnnviz.app.session import InputRecord, Session
from cnnviz.errors import InvalidRequest, Status, final_status, printable
from cnnviz.features.commands.strongest_photos import Task, best_photos, keep, line_of
from cnnviz.io import recipe, write

if TYPE_CHECKING:
    from cnnviz.features.figures.projections import Pair
    from cnnviz.features.top_activations import TopActivations
    from cnnviz.io.color import Photo

AT_ONCE = 32  # feature maps whose pictures are made together: their parts are held in memory
SIDE = 128
DEFAULT = "0-15"


class Channels(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Feature maps: "all", or numbers and spans such as 0-15 or 3,7,20-29; checked against the layer later."""

    name = "channels"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text if it can be read."""
        if value != "all":
            for part in str(value).split(","):
                low, _, high = part.partition("-")
                if not (low.isdecimal() and (not high or high.isdecimal())) or (high and int(high) < int(low)):
                    self.fail(f"{value!r} is neither all nor numbers such as 0-15 or 3,7,20-29", param, ctx)
        return str(value)


def _expand(span: str, count: int, layer: str) -> list[int]:
    """Return the channels that a text names, of ``count``; a span's end beyond the last is the last."""
    if span == "all":
        return list(range(count))
    chosen: dict[int, None] = {}
    for part in span.split(","):
        low, _, high = part.partition("-")
        if int(low) >= count:
            raise InvalidRequest(f"channel {low}: {layer} has {count}, counted from 0")
        chosen.update(dict.fromkeys(range(int(low), min(int(high or low), count - 1) + 1)))
    return list(chosen)


def are_folders(inputs: Sequence[str]) -> bool:
    """Return whether folders were named. Raises where folders and photos are mixed."""
    kinds = {os.path.isdir(given) for given in inputs}
    if len(kinds) > 1:
        raise click.UsageError("a folder is searched for figure 2, a photo projected on its own: run them apart")
    return kinds == {True}


def refuse(given: Mapping[str, Any], what: str) -> None:
    """Raise for options that go with the other kind of input."""
    for option, value in given.items():
        if value:
            raise click.UsageError(f"{option} goes with {what}")


def search(inputs: tuple[str, ...], target: str | None, fit: str, options: Mapping[str, Any]) -> None:
    """Search folders for the strongest photos of a layer's maps, draw them, and leave with the exit status."""
    if target and (target in write.STDOUT or Path(target).suffix.lower() in write.FORMATS):
        raise InvalidRequest(
            f"-o {printable(target)}: a folder makes several pictures; name a folder, such as figure-2/"
        )
    root = Path(target or f"{Path(os.path.realpath(inputs[0])).name}-deconv")
    inside = Path(os.path.realpath(root))
    found = find_inputs(
        inputs, lambda p: inside in Path(os.path.realpath(p)).parents and recipe.read_recipe(p) is not None
    )
    jobs = sorted(found, key=lambda job: job.source)
    run = Session(jobs)
    listing = "".join(f"{job.folder}/{job.name}\0{_size(job)}\n" for job in jobs)
    source = InputRecord(
        Path(os.path.realpath(inputs[0])).name, hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest()
    )
    task = Task(run, jobs, root, fit, options, source, ", ".join(inputs))
    with resume.stop_on_interrupt(None) as stop:
        _work(task, stop)
    if stop.interrupted:
        run.console.note("stopped; --resume goes on")
    run.context.exit(int(final_status(task.statuses | ({Status.INTERRUPTED} if stop.interrupted else set()))))


def _size(job: Job) -> int:
    try:
        return os.stat(job.source).st_size
    except OSError:
        return -1


def _work(task: Task, stop: resume.StopRequest) -> None:
    o, started = task.options, time.monotonic()
    channels = _ready(task)
    lines_file, sheet = task.file(".ndjson"), task.file(".png")
    if o["resume"] and lines_file.exists() and resume.finished_numbers(str(sheet), task.recipe({})):
        task.run.console.note(f"{printable(str(sheet))}: is whole already")
        return
    best = best_photos(task, stop)
    if best is None:
        task.statuses.add(Status.FAILED)
        return
    keep(task, best)
    lines: list[Line] = []
    small: list[tuple[str, Photo]] = []
    for at in range(0, len(channels), AT_ONCE):
        for line, picture in _draw(task, best, channels[at : at + AT_ONCE], stop):
            lines.append(line)
            small.append((f"map {line['channel']}", picture))
    if stop():
        partial = {"status": "partial", "output": None}
        lines = [_line(task, best, channel, []) | partial for channel in channels]
    seconds = {"seconds": round(time.monotonic() - started, 3)}
    write.write_text(str(lines_file), "".join(json.dumps(line | seconds, allow_nan=False) + "\n" for line in lines))
    for line in lines if o["lines"] else ():
        print_line(line | seconds)
    if not stop():
        from cnnviz.features.figures import projections as figure2

        write.write_picture(str(sheet), figure2.sheet(small), task.recipe({"channels": channels}))
        resume.remove_partial(task.file(".partial.npz"))
        task.run.console.note(f"{best.done} photos, {len(channels)} maps -> {printable(str(sheet))}")


def _ready(task: Task) -> list[int]:
    """Return the channels to draw; whatever can be refused is refused here, before hours of work."""
    import torch

    from cnnviz.features import projections
    from cnnviz.features.deconvnet import Deconvnet

    o, network = task.options, task.run.network
    ready = Deconvnet(network, torch.full((1, 3, *network.size), 0.5), task.layer, o["method"], o["rule"])
    channels = _expand(o["span"] or DEFAULT, len(ready.maps), task.layer)
    for remark in projections.remarks(network, ready, o["method"]):
        task.run.console.note(remark)
    write.make_folder(task.root)
    write.check_output(str(task.file(".ndjson")), overwrite=o["overwrite"] or _is_ours(task.file(".ndjson")))
    for ending in (".png", ".partial.npz", *(f"-{channel:04}.png" for channel in channels)):
        write.check_output(str(task.file(ending)), overwrite=o["overwrite"])
    return channels


def _is_ours(path: Path) -> bool:
    """Return whether a file begins with a line of this command."""
    try:
        with path.open(encoding="utf-8") as file:
            line = json.loads(file.readline())
    except (OSError, ValueError):
        return False
    return isinstance(line, dict) and (line.get("schema"), line.get("command")) == (SCHEMA, "deconv")


def _draw(
    task: Task, best: "TopActivations", channels: Sequence[int], stop: resume.StopRequest
) -> "list[tuple[Line, Photo]]":
    """Draw the panels of some maps, a photo at a time for all of them; return their lines, and each panel small."""
    from cnnviz.features.figures import projections as figure2

    wanted = [(number, channel, rank) for channel in channels for rank, (number, _, _) in enumerate(best.hits(channel))]
    parts: dict[tuple[int, int], tuple[Pair, Line]] = {}
    with task.run.console.progress("projecting", "patches") as tick:
        for number in sorted({number for number, _, _ in wanted}):
            if stop():
                return []
            here = [(channel, rank) for n, channel, rank in wanted if n == number]
            parts.update(_projected(task, best, number, here))
            tick(len(parts), len(wanted))
    drawn = []
    for channel in channels:
        hits = [parts[channel, rank] for rank in range(len(best.hits(channel)))]
        line = _line(task, best, channel, [hit for _, hit in hits])
        strengths = f"{hits[0][1]['activation']:.3g} to {hits[-1][1]['activation']:.3g}"
        note = f"{task.options['method']}; the {len(hits)} strongest of {best.done} photos, {strengths}"
        parted = "; effective fields" if any(hit["effective"] for _, hit in hits) else ""
        body = figure2.squares([pair for pair, _ in hits], SIDE)
        panel = figure2.panel(body, f"Map {channel} of {task.layer}", note + parted)
        named = [hit | {"file": Path(hit["file"]).name} for hit in line["hits"]]  # a recipe holds no folder
        write.write_picture(line["output"], panel, task.recipe({"channel": channel, "hits": named}))
        drawn.append((line, figure2.shrink(body)))
    return drawn


def _projected(
    task: Task, best: "TopActivations", number: int, here: Sequence[tuple[int, int]]
) -> "dict[tuple[int, int], tuple[Pair, Line]]":
    """Project one photo's units; what is kept of each is as large as it is drawn."""
    from dataclasses import replace

    from cnnviz.features import projections
    from cnnviz.features.deconvnet import Deconvnet
    from cnnviz.features.figures import projections as figure2

    o, job = task.options, task.jobs[number]
    x, sha256 = task.read(job)
    ready = Deconvnet(task.run.network, x, task.layer, o["method"], o["rule"])
    size = x.shape[-2], x.shape[-1]
    if size not in task.fields:
        task.fields[size] = projections.receptive_layer(task.run.network, task.layer, size)
    layer = task.fields[size]
    found = {}
    for channel, rank in here:
        _, place, value = best.hits(channel)[rank]
        projection = ready.project(channel, place)
        part = projections.unit_region(layer, projection, o["field"])
        pair = projections.pair(x, projection, part, "")
        pair = replace(
            pair, patch=figure2.upsample(pair.patch, SIDE), projection=figure2.upsample(pair.projection, SIDE)
        )
        hit = {"file": job.source, "sha256": sha256, "position": list(place), "activation": round(max(value, 0.0), 6),
               "box": list(part.box), "effective": part.effective}  # fmt: skip
        found[channel, rank] = pair, hit
    return found


def _line(task: Task, best: "TopActivations", channel: int, hits: list[Line]) -> Line:
    """Return the line of a map; of one that is not drawn, its hits as far as they are known."""
    known = hits or [
        {"file": task.jobs[number].source, "position": list(place), "activation": round(max(value, 0.0), 6)}
        for number, place, value in best.hits(channel)
    ]
    return line_of(task) | {
        "input": task.given, "output": str(task.file(f"-{channel:04}.png")), "layer": task.layer,
        "channel": channel, "method": task.options["method"], "photos": best.done, "hits": known,
    }  # fmt: skip
