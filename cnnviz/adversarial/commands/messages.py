"""What a person is told of an attacked photograph, and what its file lacks."""

from collections.abc import Mapping, Sequence
from typing import Any

from cnnviz.app.console import Console
from cnnviz.app.jobs import Job, Line
from cnnviz.app.session import Session
from cnnviz.errors import printable
from cnnviz.models.catalog import ATTACKS


def unmet_requirements(numbers: Line, options: Mapping[str, Any]) -> list[str]:
    """Return what was asked for that is not true of the file: to fool, a margin, what it survives, other networks."""
    if not numbers["fooled"]:
        return ["not fooled"]
    lost = {name.rstrip("0123456789") if name.startswith("resize") else name
                for name, kept in numbers["survival"].items() if not kept}  # fmt: skip
    return [
        *([f"by {numbers['margin']:.3g} logits alone"] if numbers["margin"] < options["margin"] else []),
        *(f"not after {name}" for name in options["survive"] if name in lost),
        *(f"not {row['network']}" for row in numbers["transfer"] if row["attacked"] and not row["fooled"]),
    ]


def missed(run: Session, job: Job, numbers: Line, lacks: Sequence[str], kept: bool) -> Line:
    """Return the line of a photograph whose file ``lacks`` what was asked for; a person is told what it does."""
    best = numbers["top"][0]
    words = f"not fooled: the best attempt is taken for {best['name']} ({best['probability']:.0%})"
    if numbers["fooled"]:
        words = f"the best attempt fools, but {', '.join(lacks)}"
    run.console.error(f"{printable(job.source)}: {words}{_hint(numbers)}")
    return numbers | {"status": "missed", "output": job.output if kept else None}


def _hint(numbers: Line) -> str:
    """Return which options may do, if any, where a method's attempt did not."""
    known = ATTACKS.get(numbers["method"])
    may = [("a larger --eps", known is None or known.capped), ("more --steps", known is None or known.steps > 0)]
    if "zero_gradients" in numbers["warnings"]:  # which says what else may
        return ""
    return f"; {' or '.join(words for words, does in may if does)} may do"


def _lost(survival: Mapping[str, bool]) -> list[str]:
    """Return what a file does not survive; the sizes of "resize" are one thing."""
    sizes = [kept for name, kept in survival.items() if name.startswith("resize")]
    names = [name for name, kept in survival.items() if not kept]
    told = f"resize ({sizes.count(False)} of {len(sizes)} sizes)"
    return list(dict.fromkeys(told if name.startswith("resize") else name for name in names))


def say(console: Console, line: Line) -> None:
    """Tell a person what became of a photograph."""
    if line["status"] == "missed":
        return
    before, after = line["clean_top"][0], line["top"][0]
    if line["levels"] == 0:
        console.note(f"{before['name']} {before['probability']:.0%} already: nothing is changed")
        return
    storing = f" (storing alone makes {line['storing_levels']})" if line["storing_levels"] else ""
    size = f"{line['levels']} level{'s' * (line['levels'] != 1)} at most{storing}, PSNR {line['psnr']:.1f} dB"
    console.note(f"{before['name']} {before['probability']:.0%} -> {after['name']} {after['probability']:.0%}; {size}")
    if line["method"] == "grid" and not line["passes"]["backward"]:
        console.note("storing it in this file is enough: nothing else is changed")
    lost = _lost(line["survival"])
    if line["finish"] == "grid":
        console.note(f"the change of {line['method']} fooled by too little: grid went on from there")
    if lost:
        console.note(f"does not survive {', '.join(lost)}")
    if line["control"]:
        console.note("random noise of the same size fools too: this is a photo that the network is unsure of")
    for row in line["transfer"]:
        words = "fooled" if row["fooled"] else "not fooled"
        if line["goal"] is None and row["clean_top"][0]["index"] != line["target"]:
            words = "never said so"
        attacked = "attacked" if row["attacked"] else "not attacked"
        console.note(f"{row['network']} ({attacked}): {words}, {row['top'][0]['name']}")
