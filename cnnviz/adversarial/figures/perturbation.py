"""The report of ``cnnviz adversarial``: photo + change = result, each with its most probable classes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from cnnviz.adversarial.figures.change import Change
from cnnviz.adversarial.figures.perturbation_panels import ClassBars, draw_change, draw_sum
from cnnviz.adversarial.results import Top, Verification
from cnnviz.figures.labels import network_label, percent, printable_name, title_of
from cnnviz.figures.page import Page
from cnnviz.figures.style import Look, own_settings
from cnnviz.io.color import Photo
from cnnviz.text import plural

FEW = 0.01  # share of changed values below which their number is in the title, not the levels


@dataclass(frozen=True)
class ReportFacts:
    """What is written around the images; distances are of the stored values, whatever transparency or profile hide.

    ``warnings``: kinds of diagnostics; ``held_out``: the photo had no part in the search of a universal change;
    ``goal``: the name of the class to be fooled into, if there is one.
    """

    network: str
    clean_top: Top
    verification: Verification
    warnings: Iterable[str] = ()
    held_out: bool = False
    goal: str = ""


@own_settings()
def draw_perturbation(
    before: Photo, after: Photo, facts: ReportFacts, missed: Sequence[str] = (), look: Look = Look()
) -> Figure:
    """Return the two photos (H, W, 3) with their enlarged change between them, and the first classes of both.

    ``missed``: the requirements that the result does not meet. Pixels are enlarged in a patch of the change; a few
    changed pixels are circled.
    """
    page, change, now = Page(look), Change.between(before, after), facts.verification
    page.heading(_title(facts, before, missed), _subtitle(facts, len(change.places()[0])))
    times = f", ×{change.factor:.3g}" if change.factor > 1 else ""
    titles = ("Photo", f"Change{times}", "Best attempt" if missed else "Result")
    first, middle, last = draw_sum(page, titles, before, after)
    bars = ClassBars.of(facts.clean_top, now.top, goal=now.goal)
    bars.draw(page, first.foot, facts.clean_top)
    larger = draw_change(page, middle, change)
    bars.draw(page, last.foot, now.top)
    page.note(_note(facts, missed, larger))
    return page.finish()


def _title(facts: ReportFacts, photo: Photo, missed: Sequence[str]) -> str:
    now, was, top = facts.verification, facts.clean_top[0], facts.verification.top[0]
    names = printable_name(was.name, was.index), printable_name(top.name, top.index)
    if not now.l0:
        return title_of("{}: no value is changed", names[0])
    size = f"a change of at most {plural(now.levels, 'level')} of 255"
    if now.changed < FEW:
        size = f"changing {_amount(now, photo)}"
    if was.index == top.index:
        return title_of(f"{{}} is still predicted after {size}", names[0])
    if now.fooled and missed:
        return title_of(f"Requirement{'s' * (len(missed) > 1)} missed: {{}} becomes {{}}", *names)
    size = size[0].upper() + size[1:]
    if now.goal is not None and facts.goal and not now.fooled:
        return title_of(f"{size} does not turn {{}} into {{}}", names[0], printable_name(facts.goal, now.goal))
    return title_of(f"{size} turns {{}} into {{}}", *names)


def _subtitle(facts: ReportFacts, pixels: int) -> str:
    now = facts.verification
    values = (
        f"{percent(now.changed, 1)} of the values" if now.changed >= FEW else f"{pixels:,} pixel{'s' * (pixels != 1)}"
    )
    quality = f"; PSNR {now.psnr:.1f} dB" if now.psnr is not None else ""
    most = f"at most {plural(now.levels, 'level')} of 255 per value"
    return f"{network_label(facts.network)}. Changed: {values}, {most}{quality}. Bars: probability."


def _amount(now: Verification, photo: Photo) -> str:
    """Return "24 of 405,900 values"; the number of stored channels is that which fits the share."""
    pixels = photo.shape[0] * photo.shape[1]
    channels = min((3, 1, 2, 4), key=lambda count: abs(now.l0 / (count * pixels) - now.changed))
    return f"{now.l0:,} of {channels * pixels:,} values"


def _note(facts: ReportFacts, missed: Sequence[str], larger: bool) -> str:
    effect = "has the same effect" if facts.verification.control else "does not have this effect"
    fooled = facts.verification.fooled
    parts = [
        *([f"Missed: {', '.join(missed)}."] if missed else []),
        *(["Changed pixels are drawn larger in b."] if larger else []),
        *([f"Control: random noise of the same size {effect}."] if fooled else []),
        *(["This photo was not used in the search."] if facts.held_out else []),
        *(f"Warning: {kind.replace('_', ' ')}." for kind in facts.warnings),
        "All values are measured on the saved file.",
    ]
    return " ".join(parts)
