"""Two photos, each beside the other's style: what style transfer takes from either."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from cnnviz.figures.labels import network_label
from cnnviz.figures.page import INNER, Page
from cnnviz.figures.style import GAP, Look, own_settings
from cnnviz.io.color import Photo
from cnnviz.synthesis.style_settings import Method
from cnnviz.synthesis.style_transfer import StyleResult

HIGHEST = 3.2  # height of a photo in inches
SUBTITLES: dict[Method, str] = {
    "statistics": "Statistics of feature maps (Gatys et al. 2016): colours and strokes go over.",
    "mrf": "Patches of feature maps matched to the style’s (Li & Wand 2016): parts go to parts of their kind.",
}


@own_settings()
def draw_both_ways(
    photos: Sequence[Photo], results: Sequence[StyleResult], network: str, method: Method, look: Look = Look()
) -> Figure:
    """Return two photos, and below each the result that has its content and the other's style.

    ``network``: its name; ``method``: that of the transfer.
    """
    page = Page(look)
    page.heading("Each photo in the style of the other", f"{network_label(network)}. {SUBTITLES[method]}")
    aspects = [photo.shape[1] / photo.shape[0] for photo in photos]
    height = min(HIGHEST, (INNER - GAP) / sum(aspects))
    for titles, images in (
        (("Photo", "Photo"), photos),
        (("a in the style of b", "b in the style of a"), [result.image for result in results]),
    ):
        for box, image in zip(page.row(aspects, titles, height=height), images, strict=True):
            page.picture(box, image)
        page.top += GAP
    page.top -= GAP
    done, of = (sum(getattr(result, name) for result in results) for name in ("done", "of"))
    if done < of:
        page.note(f"Partial result: {done} of {of} steps.")
    return page.finish()
