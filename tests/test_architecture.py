"""The contracts of CONTRIBUTING.md that a linter cannot check: every command is whole, every word means one thing."""

import ast
import inspect
import re
from collections import defaultdict
from pathlib import Path

import click
import pytest

from cnnviz.cli import cli

ROOT = Path(__file__).parents[1]
COMMANDS = sorted(cli.commands)
PICTURES = [name for name in COMMANDS if name != "show" and any(p.name == "output" for p in cli.commands[name].params)]
METHODS = {  # the function of each paper, and its module
    "occlusion": "attribution.occlusion", "attribute": "attribution.backprop",
    "deletion_insertion": "attribution.deletion_insertion", "pointing_game": "attribution.pointing_game",
    "sanity_check": "attribution.sanity_check", "activations": "features.activations",
    "deconvnet": "features.deconvnet", "kernels": "features.kernels", "top_activations": "features.top_activations",
    "dream": "synthesis.dream", "inceptionism": "synthesis.inceptionism", "visualize": "synthesis.visualize",
    "adversarial": "adversarial.minimal", "patch": "adversarial.patch", "universal": "adversarial.universal",
}  # fmt: skip
PACKAGES = ("adversarial", "attribution", "features", "synthesis")
SHORT = {"-o", "-q", "-v", "-h", "-m"}


def options(name: str) -> list[click.Option]:
    return [param for param in cli.commands[name].params if isinstance(param, click.Option)]


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
    lines = re.findall(rf"^\s+(?:.*\| )?cnnviz ({name}\b.*)$", cli.commands[name].help or "", re.MULTILINE)
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
    assert list((ROOT / "tests").glob(f"*/commands/test_{name}.py"))


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


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_test_and_names_its_paper(name):
    package, module = METHODS[name].split(".")
    assert (ROOT / f"tests/{package}/test_{module}.py").is_file()
    text = (ROOT / f"cnnviz/{package}/{module}.py").read_text("utf-8")
    assert re.search(r"\b(19|20)\d\d\b.*section", ast.get_docstring(ast.parse(text)) or "", re.DOTALL)


def test_an_option_means_the_same_in_every_command():
    said: dict[str, set[str]] = defaultdict(set)
    for name in COMMANDS:
        for option in options(name):
            text = re.sub(r"\[(default: [^]]*|required)\]|for every \w+|object instead", "", option.help or "")
            said[max(option.opts, key=len)].add(text.strip())
    apart = {word: helps for word, helps in said.items() if len(helps) > 1}
    # show's -o and --input and layers' --input-size stand without the photo that the others have; what --top counts,
    # --raw stores, and is done in --steps or by a --method is each command's own; layers, channels and classes that are
    # climbed have weights or ranges, a dream's --mask says where and not what, and its --zoom goes into the picture
    own = {"--output", "--input-size", "--json", "--top", "--raw", "--steps", "--method"}
    assert set(apart) <= own | {"--layer", "--channel", "--class", "--mask", "--zoom"}, apart


@pytest.mark.parametrize("name", METHODS)
def test_defaults_on_the_command_line_are_those_of_the_method(name):
    from importlib import import_module

    module = import_module(f"cnnviz.{METHODS[name]}")
    method = inspect.signature(getattr(module, name)).parameters
    both = [command for parts in (False, True) for command in cli.commands.values() if _calls(command, name, parts)]
    command = both[0]
    compared = 0
    for option in options(str(command.name)):
        required = option.name in method and method[option.name].default is inspect.Parameter.empty
        if option.name in method and option.name != "targets" and not required:
            assert option.default == method[option.name].default, option.name
            compared += 1
    assert compared >= min(5, sum(isinstance(param.default, int | str) for param in method.values()))


def _calls(command: click.Command, method: str, parts: bool) -> bool:
    """Return whether a command's file imports a method, or one of the files that it is made of does."""
    module = inspect.getmodule(inspect.unwrap(command.callback))
    made_of = [m for m in vars(module).values() if inspect.ismodule(m) and m.__name__.startswith("cnnviz.")]
    files = (module, *(made_of if parts else ()))
    return any(f"cnnviz.{METHODS[method]} import" in inspect.getsource(file) for file in files)


def test_only_the_command_line_speaks_to_a_person():
    for path in (ROOT / "cnnviz").rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        calls = [n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
        if path.parent.name in ("graph", "models", "figures", *PACKAGES):
            assert not {"print", "input", "open"} & set(calls), path


def test_only_the_networks_know_a_mean():
    for path in (ROOT / "cnnviz").rglob("*.py"):
        if path.parent.name != "models":
            assert "0.485" not in re.sub(r"such as [\d.,]+", "", path.read_text("utf-8")), path
