"""What ``cnnviz heat`` makes of the maps of a photo: their figure, the places above a level, the curve over sizes."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from cnnviz.app.records import Result
from cnnviz.app.session import PhotoInput, Session
from cnnviz.dense.commands.heat_fields import PlaceField, Record, SizeField, record_of
from cnnviz.dense.figures.heat_overlay import heat_overlays
from cnnviz.dense.heat import Heat
from cnnviz.dense.places import places_above
from cnnviz.dense.size_curve import SizeCurve
from cnnviz.figures.style import Look
from cnnviz.text import plural, printable

if TYPE_CHECKING:
    from cnnviz.app.records import Arrays


def map_result(
    session: Session, photo: PhotoInput, result: Heat, colormap: str, look: Look | None, arrays: "Arrays | None"
) -> Result[Record]:
    """Return the figure of the maps, or without a ``look`` the maps over the photo alone."""
    if look is None:
        return Result(record_of(session.network, result), heat_overlays(photo.image, result, colormap), arrays)
    from cnnviz.dense.figures.heat_maps import draw_heat

    return Result(
        record_of(session.network, result), draw_heat(photo.image, session.network, result, colormap, look), arrays
    )


def places_result(
    session: Session, photo: PhotoInput, result: Heat, level: float, look: Look, arrays: "Arrays | None"
) -> Result[Record]:
    """Return the places above a level: a line for each, and their figure if there are any."""
    from cnnviz.dense.figures.found_places import draw_places

    source = printable(photo.job.source)
    found = places_above(result.maps[0].numpy(), result.geometry.photo, level)
    rows = [PlaceField(**asdict(place) | {"value": round(place.value, 4), "box": list(place.box)}) for place in found]
    text = "\n".join(f"{source}\t{row.x},{row.y}\t{row.value:.1f}\t{','.join(map(str, row.box))}" for row in rows)
    figure = draw_places(photo.image, session.network, result, found, level, look) if found else None
    note = f"{source}: {plural(len(found), 'place')} of {session.network.class_name(result.targets[0])}"
    record = replace(record_of(session.network, result), places=rows)
    return Result(record, figure, arrays, text=text, notes=() if found else (note,))


def curve_result(session: Session, result: Heat, curve: SizeCurve, look: Look) -> Result[Record]:
    """Return the probability of the class against the photo's size."""
    from cnnviz.dense.figures.size_curve import draw_size_curve

    rows = [SizeField(size, round(whole, 6), round(best, 6))
            for size, whole, best in zip(curve.sizes, curve.whole, curve.best, strict=True)]  # fmt: skip
    return Result(
        replace(record_of(session.network, result), curve=rows), draw_size_curve(session.network, curve, look)
    )
