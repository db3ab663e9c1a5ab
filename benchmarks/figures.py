"""CPU time of drawing a figure, without the import of matplotlib and without the network.

    python benchmarks/figures.py [ROUNDS]

Occlusion maps of one, two and four classes beside the photo, figure 7 and an attribution of three methods, each drawn
and rendered at 1920 pixels and written as PDF. Prints the medians, writes figures.json to the folder of this file, and
fails if a figure takes more than BOUND seconds.
"""

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

import cnnviz
from cnnviz.attribution.figures.attribution_maps import draw_attributions
from cnnviz.attribution.figures.occlusion_maps import MapStyle, draw_occlusion
from cnnviz.attribution.figures.occlusion_panels import draw_figure_7
from cnnviz.attribution.occlusion import EngineOptions
from cnnviz.figures.output import pdf, render

HERE = Path(__file__).parent
BOUND = 1.0


def cases() -> dict[str, Callable[[], Figure]]:
    """Return the figures by name."""
    network, photo = cnnviz.load_network(), cnnviz.read_photo(str(HERE.parent / "sample_images" / "chelsea.jpg"))
    inputs, geometry = cnnviz.fit(photo, network)
    found = cnnviz.occlusion(network, inputs, targets=[282, 285, 281, 287], options=EngineOptions(layer="bn2"))
    maps = {name: cnnviz.attribute(network, inputs, method=name) for name in ("grad-cam", "gradient", "guided")}
    one, two = (cnnviz.occlusion(network, inputs, targets=[282, 285][:count]) for count in (1, 2))
    style = MapStyle("blur", "probability")
    return {
        "occlusion, 1 class": lambda: draw_occlusion(photo, geometry, network, one, style),
        "occlusion, 2 classes": lambda: draw_occlusion(photo, geometry, network, two, style),
        "occlusion, 4 classes": lambda: draw_occlusion(photo, geometry, network, found, style),
        "figure 7, 8 panels": lambda: draw_figure_7(photo, geometry, network, inputs, found, "blur"),
        "attribution, 3 methods": lambda: draw_attributions(photo, geometry, network, maps),
    }


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of a call."""
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> None:
    """Measure every figure, print the table and store it."""
    rounds, rows = int(sys.argv[1]) if len(sys.argv) > 1 else 5, []
    print(f"{'figure':<26}{'CPU s':>7}{'PDF':>7}")
    for name, draw in cases().items():
        draw()
        drawn = statistics.median(seconds(lambda draw=draw: render(draw())) for _ in range(rounds))
        written = statistics.median(seconds(lambda draw=draw: pdf(draw(), {"recipe": 1})) for _ in range(rounds))
        rows.append({"figure": name, "seconds": round(drawn, 3), "pdf_seconds": round(written, 3)})
        print(f"{name:<26}{drawn:>7.2f}{written:>7.2f}")
    versions = {"python": platform.python_version(), "matplotlib": mpl.__version__}
    (HERE / "figures.json").write_text(
        json.dumps({"bound": BOUND, "versions": versions, "rows": rows}, indent=1) + "\n"
    )
    slow = [row["figure"] for row in rows if "8 panels" not in row["figure"] and row["seconds"] > BOUND]
    if slow:
        sys.exit(f"over {BOUND} s: {', '.join(slow)}")


if __name__ == "__main__":
    main()
