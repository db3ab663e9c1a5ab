"""The contracts of CONTRIBUTING.md that a linter cannot check: commands are complete, words mean one thing."""

import ast
import dataclasses
import importlib
import inspect
import re
from collections import defaultdict
from pathlib import Path

import click
import pytest

from cnnviz.app.discovery import entries
from docs.help import SCHEMA, json_schema

ROOT = Path(__file__).parents[1]
LOADED = {name: entry.load() for name, entry in entries().items()}
COMMANDS = sorted(LOADED)
HOMES = {name: entry.package for name, entry in entries().items()}
PICTURES = [name for name in COMMANDS if name != "show" and any(p.name == "output" for p in LOADED[name].params)]
METHOD_PACKAGES = ("adversarial", "attribution", "dense", "features", "synthesis")
SHORT = {"-o", "-q", "-v", "-h", "-m", "-n"}
# Words of help texts and pages that a reader of the field has to translate back.
ODD = re.compile(
    r"\b(hangs? on|rests? on|not to be had|to be had|takes? it for|answers? to|knows? of|what came of|the way there"
    r"|is told|are told|minds|strangers?|photographs? is taken for|of one piece|gone on with|goes on with)\b",
    re.IGNORECASE,
)
# Commands whose options are those of a function: their defaults are the function's.
FUNCTIONS = {
    "occlude": "attribution.occlusion:occlusion",
    "deconv": "features.deconvnet:deconvnet",
    "adversarial": "adversarial.file_attack:attack_photo",
    "universal": "adversarial.universal:universal",
    "robustness": "adversarial.robustness:robustness",
    "sticker": "adversarial.patch:patch",
    "rank": "dense.rank:rank",
    "thumbnail": "dense.thumbnail:thumbnail",
}


def options(name: str) -> list[click.Option]:
    return [param for param in LOADED[name].params if isinstance(param, click.Option)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help_and_a_full_word(name):
    for option in options(name):
        assert option.help, option.opts
        long = [word for word in option.opts if word.startswith("--")]
        short = {word for word in option.opts if not word.startswith("--")}
        assert len(long) == 1
        assert len(long[0]) > 4
        assert short <= SHORT


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example_that_parses(name):
    lines = re.findall(rf"^\s+(?:.*\| )?cnnviz ({name}\b.*)$", LOADED[name].help or "", re.MULTILINE)
    assert lines
    for line in lines:
        words = re.split(r" [|>]", line)[0].split()[1:]
        words = [word.strip("'\"") for word in words if not word.startswith(("~", ">"))]
        known = {flag for option in options(name) for flag in option.opts}
        assert {word for word in words if word.startswith("-") and word != "-"} <= known


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_page_that_shows_its_help_and_a_test(name):
    page = (ROOT / f"docs/{name}.md").read_text("utf-8")
    assert f"Usage: cnnviz {name}" in page
    assert f"docs/{name}.md" in (ROOT / "README.md").read_text("utf-8")
    assert (ROOT / f"tests/{HOMES[name]}/commands/test_{name.replace('-', '_')}.py").is_file()


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_command_is_in_the_gallery(name):
    gallery = (ROOT / "docs/gallery.md").read_text("utf-8")
    assert f"cnnviz {name} " in gallery


def test_the_gallery_and_the_pages_show_pictures_that_exist():
    shown = [
        (page, target)
        for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
        for target in re.findall(r"!?\[[^\]]*\]\(([^)#]+)[^)]*\)", page.read_text("utf-8"))
        if "://" not in target
    ]
    assert len(shown) > 10
    missing = [f"{page.name}: {target}" for page, target in shown if not (page.parent / target).exists()]
    assert not missing


def test_an_option_means_the_same_in_every_command():
    said: dict[str, set[str]] = defaultdict(set)
    for name in COMMANDS:
        for option in options(name):
            text = re.sub(r"\[(default: [^]]*|required)\]", "", option.help or "")
            said[max(option.opts, key=len)].add(text.strip())
    apart = {word for word, helps in said.items() if len(helps) > 1}
    # what --top counts, --raw stores, and is done in --steps or by a --method is each command's own; show has no
    # photos; layers, channels and classes of an ascent have weights or ranges; style weighs a loss, not a step, and
    # keeps colours in two ways; its scales are a number, those of heat sizes
    own = {
        "--output",
        "--json",
        "--top",
        "--raw",
        "--steps",
        "--method",
        "--input-size",
        "--overwrite",
        "--report",
        "--size",
        "--tv-weight",
        "--original-colors",
        "--stride",
        "--scales",
        "--model",
    }
    assert apart <= own | {"--layer", "--channel", "--class", "--mask", "--zoom", "--eps"}, {w: said[w] for w in apart}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_defaults_on_the_command_line_are_those_of_the_method(name):
    module, function = FUNCTIONS[name].split(":")
    method = inspect.signature(getattr(importlib.import_module(f"cnnviz.{module}"), function)).parameters
    compared = 0
    for item in dataclasses.fields(LOADED[name].options):
        param = method.get(item.name)
        required = param is None or param.default is inspect.Parameter.empty or item.name == "targets"
        if not required and "option" in item.metadata:
            assert item.default == param.default, item.name
            compared += 1
    assert compared >= 2


def test_every_method_names_its_paper():
    unnamed = []
    for package in METHOD_PACKAGES:
        for path in sorted((ROOT / "cnnviz" / package).glob("[!_]*.py")):
            imported = [command for command in COMMANDS if HOMES[command] == package and path.stem == command]
            text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
            if imported and not re.search(r"\b(19|20)\d\d\b.*section", text, re.DOTALL):
                unnamed.append(path.name)
    assert not unnamed


def test_only_the_command_line_prints():
    for package in ("graph", "models", "figures", "io", "video", *METHOD_PACKAGES):
        for path in (ROOT / "cnnviz" / package).rglob("*.py"):
            tree = ast.parse(path.read_text("utf-8"))
            calls = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
            assert not {"print", "input"} & calls, path


def test_only_the_networks_know_a_mean():
    for path in (ROOT / "cnnviz").rglob("*.py"):
        if path.parent.name != "models":
            assert "0.485" not in re.sub(r"such as [\d.,]+", "", path.read_text("utf-8")), path


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_in_the_words_of_the_field(name):
    text = " ".join([LOADED[name].help or "", *(option.help or "" for option in options(name))])
    assert not ODD.findall(text)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))])  # fmt: skip
def test_pages_are_in_the_words_of_the_field(page):
    assert not ODD.findall((ROOT / page).read_text("utf-8"))


def test_the_schema_in_the_package_is_that_of_the_records():
    assert SCHEMA.read_text("utf-8") == json_schema(), "make docs writes it"
