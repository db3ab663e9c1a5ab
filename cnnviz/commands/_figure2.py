"""Figure 2 of the deconvnet's paper from a folder: one pass for the strongest photos of each map, then pictures."""

import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnviz import batch, output, recipe
from cnnviz.batch import Job, Line
from cnnviz.commands import _partial
from cnnviz.commands._run import Run, Source
from cnnviz.errors import CnnvizError, MethodError, Status, UsageMistake, shown, worst

if TYPE_CHECKING:
    from torch import Tensor

    from cnnviz.figure2 import Pair
    from cnnviz.graph import Layer
    from cnnviz.images import Photo
    from cnnviz.methods.strongest import Strongest

AHEAD = 8  # photos read while the network is at work
AT_ONCE = 32  # feature maps whose pictures are made together: their parts are held in memory
SIDE = 128
DEFAULT = "0-15"
KEPT = ("values", "numbers", "places", "widths", "taken")


class Channels(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Feature maps: "all", or numbers and spans such as 0-15 or 3,7,20-29; checked against the layer later."""

    name = "channels"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text if it can be read."""
        if value != "all":
            for part in str(value).split(","):
                low, _, high = part.partition("-")
                if not (low.isdecimal() and (not high or high.isdecimal()) and "-" not in high):
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
            raise UsageMistake(f"channel {low}: {layer} has {count}, counted from 0")
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


@dataclass(frozen=True)
class _Task:
    """One search: the photos in order of their names, where results go, and the settings."""

    run: Run
    jobs: list[Job]
    root: Path
    fit: str
    options: Mapping[str, Any]
    source: Source
    fields: "dict[tuple[int, int], Layer | None]"  # of the layer, by the size of the input

    @property
    def layer(self) -> str:
        return str(self.options["layer"])

    def file(self, ending: str) -> Path:
        """Return where a result lies: the layer's name, and an ending."""
        return self.root / f"{self.layer}{ending}"

    def recipe(self, numbers: Line) -> dict[str, Any]:
        """Return the recipe of a result of the whole folder."""
        made = self.run.recipe(self.source, numbers)
        return made | {"input": made["input"] | {"photos": len(self.jobs)}}

    def read(self, job: Job) -> "tuple[Tensor, str]":
        """Return a photo as the network's input, and its sha256."""
        from cnnviz import images

        if job.trouble:
            raise MethodError(job.trouble)
        photo, source = self.run.read(job)
        return images.fit(photo, self.run.network, self.fit)[0], source.sha256


def search(inputs: tuple[str, ...], target: str | None, fit: str, options: Mapping[str, Any]) -> None:
    """Search folders for the strongest photos of a layer's maps, draw them, and leave with the exit status."""
    if target and (target in output.STDOUT or Path(target).suffix.lower() in output.FORMATS):
        raise UsageMistake(f"-o {shown(target)}: a folder makes several pictures; name a folder, such as figure-2/")
    root = Path(target or f"{Path(os.path.realpath(inputs[0])).name}-deconv")
    inside = Path(os.path.realpath(root))
    found = batch.find(inputs, lambda p: inside in Path(os.path.realpath(p)).parents and recipe.read(p) is not None)
    jobs = sorted(found, key=lambda job: job.source)
    run = Run(jobs)
    output.make_folder(root)
    listing = "".join(f"{job.folder}/{job.name}\0{_size(job)}\n" for job in jobs)
    source = Source(Path(os.path.realpath(inputs[0])).name, hashlib.sha256(listing.encode()).hexdigest())
    task = _Task(run, jobs, root, fit, options, source, {})
    with _partial.stopping(None) as stop:
        statuses = _work(task, stop)
    if stop.interrupted:
        run.console.note("stopped; --resume goes on")
    run.context.exit(int(worst({*statuses, Status.INTERRUPTED} if stop.interrupted else statuses)))


def _size(job: Job) -> int:
    try:
        return os.stat(job.source).st_size
    except OSError:
        return -1


def _work(task: _Task, stop: _partial.Stop) -> set[Status]:
    started, statuses = time.monotonic(), {Status.OK}
    unfinished, whole = task.file(".partial.npz"), task.recipe({})
    for ending in (".png", ".ndjson"):
        output.check(str(task.file(ending)), overwrite=task.options["overwrite"] or ending == ".ndjson")
    known = _partial.find(unfinished, whole, task.run.console, KEPT) if task.options["resume"] else None
    best = _search(task, known, stop, statuses)
    if best is None:
        return {*statuses, Status.FAILED}
    _partial.keep(unfinished, _kept(best), whole)
    channels = _expand(task.options["span"] or DEFAULT, len(best.values), task.layer)
    lines: list[Line] = []
    small: list[tuple[str, Photo]] = []
    for at in range(0, len(channels), AT_ONCE):
        for line, picture in _draw(task, best, channels[at : at + AT_ONCE], stop):
            lines.append(line)
            small.append((f"map {line['channel']}", picture))
    seconds = round(time.monotonic() - started, 3)
    lines = [line | {"seconds": seconds} for line in lines]
    if stop():
        lines = [_line(task, best, c, []) | {"status": "partial", "seconds": seconds} for c in channels]
    text = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines)
    output.write_text(str(task.file(".ndjson")), text)
    if task.options["lines"]:
        for line in lines:
            batch.print_line(line)
    if not stop():
        from cnnviz import figure2

        output.write_picture(str(task.file(".png")), figure2.sheet(small), task.recipe({"channels": channels}))
        _partial.forget(unfinished)
        task.run.console.note(f"{best.done} photos, {len(channels)} maps -> {shown(str(task.file('.png')))}")
    return statuses


def _search(task: _Task, known: Any, stop: _partial.Stop, statuses: set[Status]) -> "Strongest | None":
    import torch

    from cnnviz.methods.deconvnet import Deconvnet
    from cnnviz.methods.strongest import Strongest, strongest

    o, network = task.options, task.run.network
    blank = torch.full((1, 3, *network.size), 0.5)
    ready = Deconvnet(network, blank, task.layer, o["method"], o["rule"])  # refused before hours of work
    from cnnviz.commands import _projections

    for remark in _projections.remarks(network, ready, o["method"]):
        task.run.console.note(remark)
    best = None
    if known:
        arrays = [torch.from_numpy(known[key]) for key in KEPT]
        best = Strongest(arrays[0], arrays[1], arrays[2], arrays[3], *arrays[4].tolist())
    first = best.last + 1 if best else 0
    with task.run.console.progress("searching", "photos") as tick:
        return strongest(
            network, _pictures(task, first, statuses), layer=task.layer, top=o["top"], known=best, stop=stop,
            progress=lambda done: tick(done, len(task.jobs)),
        )  # fmt: skip


def _kept(best: "Strongest") -> dict[str, Any]:
    import numpy as np

    arrays = (best.values, best.numbers, best.places, best.widths)
    return {**{key: t.numpy() for key, t in zip(KEPT, arrays, strict=False)}, "taken": np.array([best.done, best.last])}


def _pictures(task: _Task, first: int, statuses: set[Status]) -> "Iterator[tuple[int, Tensor]]":
    """Yield photos by number, read ahead in threads; one that cannot be read is told and left out."""
    _ = task.run.network  # loaded once, before the threads ask for it
    with ThreadPoolExecutor(2) as pool:
        waiting: deque[tuple[int, Any]] = deque()
        for number, job in enumerate(task.jobs[first:], first):
            waiting.append((number, pool.submit(task.read, job)))
            if len(waiting) >= AHEAD:
                yield from _taken(task, *waiting.popleft(), statuses)
        while waiting:
            yield from _taken(task, *waiting.popleft(), statuses)


def _taken(task: _Task, number: int, future: Any, statuses: set[Status]) -> "Iterator[tuple[int, Tensor]]":
    try:
        yield number, future.result()[0]
    except CnnvizError as error:
        statuses.add(error.status)
        told = f"{shown(task.jobs[number].source)}: {error}"
        task.run.console.error(told)
        if task.options["lines"]:
            batch.print_line(_base(task) | {"input": task.jobs[number].source, "status": "error", "error": told})


def _draw(task: _Task, best: "Strongest", channels: Sequence[int], stop: _partial.Stop) -> "list[tuple[Line, Photo]]":
    """Draw the panels of some maps, a photo at a time for all of them; return their lines, and each panel small."""
    from cnnviz import figure2

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
        output.check(line["output"], overwrite=task.options["overwrite"])
        output.write_picture(line["output"], panel, task.recipe({"channel": channel, "hits": line["hits"]}))
        drawn.append((line, figure2.shrunk(body)))
    return drawn


def _projected(
    task: _Task, best: "Strongest", number: int, here: Sequence[tuple[int, int]]
) -> "dict[tuple[int, int], tuple[Pair, Line]]":
    """Project one photo's units; what is kept of each is as large as it is drawn."""
    from dataclasses import replace

    from cnnviz import figure2
    from cnnviz.commands import _projections
    from cnnviz.methods.deconvnet import Deconvnet

    o, job = task.options, task.jobs[number]
    x, sha256 = task.read(job)
    ready = Deconvnet(task.run.network, x, task.layer, o["method"], o["rule"])
    size = x.shape[-2], x.shape[-1]
    if size not in task.fields:
        task.fields[size] = _projections.layer_of(task.run.network, task.layer, size)
    layer = task.fields[size]
    found = {}
    for channel, rank in here:
        _, place, value = best.hits(channel)[rank]
        projection = ready.project(channel, place)
        part = _projections.seen(layer, projection, o["field"])
        pair = _projections.pair(x, projection, part, "")
        pair = replace(
            pair, patch=figure2.enlarged(pair.patch, SIDE), projection=figure2.enlarged(pair.projection, SIDE)
        )
        hit = {"file": job.source, "sha256": sha256, "position": list(place), "activation": round(value, 6),
               "box": list(part.box), "effective": part.effective}  # fmt: skip
        found[channel, rank] = pair, hit
    return found


def _base(task: _Task) -> Line:
    return {"schema": batch.SCHEMA, "command": task.run.command, "input": None, "output": None, "status": "ok",
            "error": None, "network": task.run.network.name, "seconds": 0.0, "seed": 0}  # fmt: skip


def _line(task: _Task, best: "Strongest", channel: int, hits: list[Line]) -> Line:
    """Return the line of a map; of one that is not drawn, its hits as far as they are known."""
    known = hits or [
        {"file": task.jobs[number].source, "position": list(place), "activation": round(value, 6)}
        for number, place, value in best.hits(channel)
    ]
    return _base(task) | {
        "input": task.source.name, "output": str(task.file(f"-{channel:04}.png")), "layer": task.layer,
        "channel": channel, "method": task.options["method"], "photos": best.done, "hits": known,
    }  # fmt: skip
