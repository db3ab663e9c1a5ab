"""CONTRIBUTING's promise, tried on a copy: a new attribution method touches four files, a new command five."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

METHOD = '''"""A toy: the plain gradient, squared. Nobody 2026, section 1."""

import torch
from torch import Tensor

from cnnviz.attribution.class_score import ClassScore, MethodSettings


def squared(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return the squared gradient, summed over the colours: (targets, h, w)."""
    x = score.leaf()
    rows = [torch.autograd.grad(score(x)[0, target], x)[0] for target in score.targets]
    return torch.cat(rows).square().sum(1)
'''

BRIGHTNESS = '''"""A toy: the brightness of an input. Nobody 2026, section 1."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Brightness:
    """Mean of an input (1, 3, h, w), 0 to 1."""

    mean: float


def brightness(inputs: Tensor) -> Brightness:
    """Return the brightness of an input (1, 3, h, w), RGB in [0, 1]."""
    return Brightness(float(inputs.mean()))
'''

COMMAND = '''"""``cnnviz brightness``: how bright a photo is to the network."""

from dataclasses import dataclass

from cnnviz.app.declare import option
from cnnviz.app.options import OutputOptions, PhotoOptions
from cnnviz.app.photo_command import photo_command
from cnnviz.app.records import PhotoRecord, Result, field
from cnnviz.app.session import PhotoInput
from cnnviz.app.session import Session
from cnnviz.control import Control


@dataclass(frozen=True, kw_only=True)
class Options(PhotoOptions, OutputOptions):
    """Options of ``cnnviz brightness``."""

    darker: float = option("Factor of the brightness.", default=1.0, type=float, metavar="FACTOR")


@dataclass(frozen=True, kw_only=True)
class Record(PhotoRecord):
    """JSON fields of ``cnnviz brightness``."""

    mean: float = field("Mean of the input.", minimum=0)


@photo_command(Options, Record, suffix="-brightness.png")
def brightness(session: Session, photo: PhotoInput, options: Options, control: Control) -> Result[Record]:
    """Draw a photo as it is, and report its brightness.

    \\b
    Examples:
      cnnviz brightness cat.jpg
    """
    from cnnviz.features.brightness import brightness

    inputs, _ = session.fit(photo.image)
    logits = session.network(inputs)[0]
    record = Record(network=session.network.name, top=session.network.top(logits.detach()),
                    mean=brightness(inputs).mean * options.darker)
    return Result(record, photo.image)
'''


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with what its tests and pages need."""
    place = tmp_path_factory.mktemp("copy")
    for name in ("cnnviz", "docs/help.py", "docs/attribute.md", "tests", "sample_images"):
        source, target = ROOT / name, place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    return place


def python(copy: Path, *words: str, **env: str) -> str:
    """Run Python in the copy and return what it prints."""
    own = os.environ | {"PYTHONPATH": str(copy)} | env
    done = subprocess.run([sys.executable, *words], cwd=copy, env=own, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def completed(copy: Path, *words: str) -> list[str]:
    env = {
        "_CNNVIZ_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["cnnviz", *words]),
        "COMP_CWORD": str(len(words)),
    }
    return [line.partition(",")[2] for line in python(copy, "-m", "cnnviz", **env).splitlines()]


@pytest.mark.slow
def test_an_attribution_method_is_a_file_and_three_rows(copy: Path) -> None:
    (copy / "cnnviz/attribution/squared.py").write_text(METHOD)
    insert(copy / "cnnviz/attribution/catalog.py", '    "gradient-x-input"',
           '    "squared": Method("Squared", "attribution.squared:squared", signed=False),\n')  # fmt: skip
    insert(copy / "tests/attribution/test_methods.py", '    "gradient-x-input"',
           '    "squared": lambda e: e.gradient.square().sum(1)[:, None, None] * e.flat,\n')  # fmt: skip
    insert(copy / "docs/attribute.md", "| `gradient-x-input`", "| `squared` | (∂s_c/∂x)² | nobody |\n")
    assert "squared" in python(copy, "-m", "cnnviz", "attribute", "--help")
    assert completed(copy, "attribute", "--method", "squ") == ["squared"]
    ran = python(
        copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/attribution/test_methods.py", "-k", "squared"
    )
    assert int(ran.split(" passed")[0].split()[-1]) >= 4
    made = python(
        copy, "-m", "cnnviz", "attribute", "sample_images/coffee.jpg", "--method", "squared", "--json", "-o", "a.png"
    )
    assert json.loads(made)["methods"] == ["squared"]


@pytest.mark.slow
def test_a_command_is_five_files(copy: Path) -> None:
    (copy / "cnnviz/features/brightness.py").write_text(BRIGHTNESS)
    (copy / "cnnviz/features/commands/brightness.py").write_text(COMMAND)
    (copy / "tests/features/test_brightness.py").write_text("")
    (copy / "tests/features/commands/test_brightness.py").write_text("")
    (copy / "docs/brightness.md").write_text("# brightness\n")
    assert "brightness" in python(copy, "-m", "cnnviz", "--help")
    assert completed(copy, "bright") == ["brightness"]
    assert completed(copy, "brightness", "--dark") == ["--darker"]
    code = "from docs.help import *; print(fields_table('brightness'), table(), json_schema())"
    tables = python(copy, "-c", code)
    assert "| `mean` | Mean of the input. |" in tables
    assert "[brightness](docs/brightness.md)" in tables
    assert '"title": "brightness"' in tables
    python(copy, "-m", "cnnviz", "brightness", "sample_images/coffee.jpg", "--darker", "0.5", "-o", "b.png")
    python(copy, "-m", "cnnviz", "show", "--rerun", "b.png", "--input", "sample_images/coffee.jpg", "-o", "c.png")
    assert (copy / "b.png").read_bytes() == (copy / "c.png").read_bytes()


def insert(path: Path, before: str, line: str) -> None:
    """Insert a line before the first one that begins so."""
    text = path.read_text("utf-8")
    at = text.index(before)
    path.write_text(text[:at] + line + text[at:], "utf-8")
