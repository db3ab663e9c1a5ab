"""The preview of ``cnnviz sticker``: what the network sees of sticker, controls and bare photo."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from cnnviz.adversarial.patch import CLEAN, STICKER, PatchResult, PatchView, preview
from cnnviz.figures.labels import class_label, network_label, percent, title_of
from cnnviz.figures.maps import frame
from cnnviz.figures.page import INNER, Page, Rect
from cnnviz.figures.style import LINE, MARGIN, NOTE, PANEL, SUBTITLE, TITLE, Look, own_settings
from cnnviz.figures.text import is_printable, shorten, width
from cnnviz.text import plural

POSES = 5  # drawn, of the held-out ones
NAMES = 1.3  # room of the rows' names in inches
GAP, ROW_GAP = 0.1, 0.16  # between tiles, and between rows
HIGHEST = 1.7  # height of a tile in inches
ROWS = {STICKER: "Sticker", "grey": "Grey sticker", "noise": "Noise sticker", CLEAN: "No sticker"}


def draw_preview(result: PatchResult, look: Look = Look()) -> Figure:
    """Return a row for each print, first the fixed view, then POSES held-out poses by the result's seed."""
    return draw_views(result, preview(result, result.seed, POSES), look)


@own_settings()
def draw_views(result: PatchResult, views: Mapping[str, Sequence[PatchView]], look: Look = Look()) -> Figure:
    """Return rows of these views: below each its predicted class, framed where that is the goal."""
    page, network = Page(look), result.scene.network
    goal, poses = class_label(network, result.scene.goal), plural(result.poses, "pose")
    title = f"With the sticker, {{}} is predicted in {percent(result.success_rate)} of {poses}"
    page.heading(title_of(title, goal), _subtitle(result))
    count = len(views[STICKER])
    side = (INNER - NAMES - GAP * (count - 1)) / count
    for column in range(count):
        page.write(_left(column, side), page.top, f"pose {column}" if column else "fixed view", room=side)
    page.top += LINE
    for name, row in views.items():
        _draw_row(page, name, result, row, side)
    page.top -= ROW_GAP
    page.note(_note(result, goal, poses))
    return page.finish()


def _subtitle(result: PatchResult) -> str:
    network = result.scene.network
    bare = shorten(f"“{class_label(network, result.target)}”", 2.5, SUBTITLE)
    words = f"{network_label(network.name)}. Without a sticker, in the fixed view: {bare}."
    return f"{words} Below each input: the predicted class and its probability."


def _note(result: PatchResult, goal: str, poses: str) -> str:
    return (
        f"Left: share of {poses} in which {shorten(f'“{goal}”', 3.0, NOTE)} is predicted (framed); no pose was used in "
        f"the optimisation. The sticker covers {percent(result.area)} of the input. Simulated from one photo: a "
        "printed sticker in front of a camera may succeed less often."
    )


def _draw_row(page: Page, name: str, result: PatchResult, views: Sequence[PatchView], side: float) -> None:
    """Draw a row: name and success rate on the left, then the views."""
    aspect = views[0].image.shape[1] / views[0].image.shape[0]
    height = min(side / aspect, HIGHEST)
    rates, network = result.rates[name], result.scene.network
    colour = page.theme.accent if name == STICKER else page.theme.ink
    y = page.write(MARGIN, page.top - 0.05, ROWS.get(name, name), size=PANEL, bold=True, colour=colour,
                   room=NAMES - 0.1)  # fmt: skip
    y = page.write(MARGIN, y, percent(rates.success_rate), size=TITLE, bold=True, colour=colour)
    y = page.write(MARGIN, y, f"of {plural(result.poses, 'pose')}", room=NAMES - 0.1)
    for column, view in enumerate(views):
        box = Rect(_left(column, side), page.top, height * aspect, height).snapped()
        words = view.name if is_printable(view.name) else f"class {network.classes.index(view.name)}"
        _draw_view(page, box, view, words, side, view.name == network.class_name(result.scene.goal))
    page.top = max(page.top + height + 0.03 + LINE, y) + ROW_GAP


def _draw_view(page: Page, box: Rect, view: PatchView, words: str, side: float, hit: bool) -> None:
    """Draw one input of the network, framed if it is a ``hit``; below, ``side`` wide, ``words`` and probability."""
    axes = page.picture(box, view.image)
    colour, share, y = page.theme.accent if hit else page.theme.faint, percent(view.probability), box.bottom + 0.03
    if hit:
        height, wide = view.image.shape[:2]
        frame(axes, (0, 0, height, wide), colour, 2.4)
    room = side - width(share, NOTE, bold=hit) - 0.06
    page.write(box.x, y, words, bold=hit, colour=colour, room=room)
    page.write(box.x + side, y, share, bold=hit, colour=colour, align="right")


def _left(column: int, side: float) -> float:
    return MARGIN + NAMES + column * (side + GAP)
