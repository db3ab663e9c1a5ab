"""``cnnviz top-images``: the photos of a folder that maximise each channel of a layer."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cnnviz.app.param_types import expand_channels
from cnnviz.app.photo_command import open_session, plain_command
from cnnviz.app.records import SCHEMA, print_line, to_json
from cnnviz.app.resume import StopRequest, finished_numbers, remove_partial, stop_on_interrupt
from cnnviz.errors import Status, final_status
from cnnviz.features.commands.folder_search import FolderSearch
from cnnviz.features.commands.projection_options import FolderOptions
from cnnviz.features.commands.top_image_figures import Record, record_of, write_figures, write_sheet
from cnnviz.io import write
from cnnviz.text import plural, printable

if TYPE_CHECKING:
    from cnnviz.features.projections import Projector

DEFAULT_CHANNELS = ("0-11",)


@plain_command(FolderOptions, Record)
def top_images(options: FolderOptions) -> int:
    """Find the photos that maximise each channel of a layer.

    Figure 2 of the deconvnet's paper from folders of photos: for each channel the photos of its largest activations,
    cut out where the unit sees them, and the projections of the units, in a folder of images (-o FOLDER/).

    \b
    Examples:
      cnnviz top-images photos/
      cnnviz top-images photos/ --layer blocks.3 --top 9 --channel all -o figure-2/
    """
    search = FolderSearch(open_session("top-images", options), options)
    with stop_on_interrupt() as stop:
        _run(search, stop)
    if stop.interrupted:
        search.session.console.note("stopped; --resume continues")
        search.statuses.add(Status.INTERRUPTED)
    return int(final_status(search.statuses))


def _run(search: FolderSearch, stop: StopRequest) -> None:
    console, started = search.session.console, time.monotonic()
    projector, channels = _prepare(search)
    sheet = search.file(".png")
    done = search.options.resume and search.file(".ndjson").exists()
    if done and finished_numbers(str(sheet), search.recipe({}), Record):
        console.note(f"{printable(str(sheet))}: is finished already")
        return
    best = search.best(stop)
    if best is None:
        search.statuses.add(Status.FAILED)
        return
    search.keep(best)
    records, tiles = write_figures(search, projector, best, channels, stop)
    if stop():
        records = [record_of(search, best, channel) for channel in channels]
    _write_lines(search, records, "partial" if stop() else "ok", round(time.monotonic() - started, 3))
    if not stop():
        write_sheet(search, best, channels, tiles)
        remove_partial(search.file(".partial.npz"))
        console.note(f"{plural(best.done, 'photo')}, {plural(len(channels), 'channel')} -> {printable(str(sheet))}")


def _prepare(search: FolderSearch) -> "tuple[Projector, list[int]]":
    """Return the projector and the channels; whatever can be refused is refused here, before hours of work."""
    import torch

    from cnnviz.features.projections import Projector

    options, network = search.options, search.session.network
    projector = Projector(network, options.settings(search.layer))
    recorded = projector.record(torch.full((1, 3, *network.size), 0.5))
    search.method = recorded.method
    channels = expand_channels(options.channel or DEFAULT_CHANNELS, len(recorded.maps), search.layer)
    for remark in projector.remarks(recorded):
        search.session.console.note(remark)
    write.make_folder(search.root)
    lines = search.file(".ndjson")
    write.check_output(str(lines), overwrite=options.overwrite or _is_own(lines))
    for ending in (".png", ".partial.npz", *(f"-{channel:04}.png" for channel in channels)):
        write.check_output(str(search.file(ending)), overwrite=options.overwrite)
    return projector, channels


def _is_own(path: Path) -> bool:
    """Return whether a file begins with a line of this command."""
    try:
        with path.open(encoding="utf-8") as file:
            line = json.loads(file.readline())
    except (OSError, ValueError):
        return False
    return isinstance(line, dict) and (line.get("schema"), line.get("command")) == (SCHEMA, "top-images")


def _write_lines(search: FolderSearch, records: list[Record], status: str, seconds: float) -> None:
    """Write a line of JSON for each channel to a file, and with ``--json`` to standard output."""
    lines = []
    for record in records:
        output = str(search.file(f"-{record.channel:04}.png")) if status == "ok" else None
        lines.append({
            "schema": SCHEMA, "command": "top-images", "input": ", ".join(search.options.inputs), "output": output,
            "status": status, "error": None, "seconds": seconds, "seed": 0, **to_json(record),
        })  # fmt: skip
    write.write_text(str(search.file(".ndjson")), "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines))
    for line in lines if search.options.json else ():
        print_line(line)
