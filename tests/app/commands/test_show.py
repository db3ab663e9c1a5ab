"""``show``: the recipe as it is, the same bytes again, and nothing done that a made-up recipe asks for."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from cnnviz import cli
from cnnviz.app.commands.show import check_recipe, output_words
from cnnviz.errors import CnnvizError
from cnnviz.io.recipe import KEY
from cnnviz.models import catalog, weights
from tests.conftest import PHOTOS, Run

FEW = ["--window", "112", "--stride", "112"]
SOURCE = {"name": "cat.jpg", "sha256": hashlib.sha256((PHOTOS / "chelsea.jpg").read_bytes()).hexdigest()}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(PHOTOS / "chelsea.jpg", "cat.jpg")
    return tmp_path


def made_up(**parts: Any) -> None:
    """Write x.png with a recipe that no cnnviz has written."""
    recipe = {"recipe": 1, "command": "occlude", "options": {}, "input": SOURCE} | parts
    info = PngImagePlugin.PngInfo()
    info.add_itxt(KEY, json.dumps({key: value for key, value in recipe.items() if value != "left out"}))
    Image.new("RGB", (2, 2)).save("x.png", pnginfo=info)


def same(one: str, other: str) -> bool:
    return Path(one).read_bytes() == Path(other).read_bytes()


def test_shows_the_recipe_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.invoke(["occlude", "cat.jpg", *FEW, "--class", "lynx", "--mean", "0.5", "-q"]) == 0
    assert cli.invoke(["show", "cat-occlude.png"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["command"] == "occlude"
    assert shown["input"] == SOURCE
    assert shown["options"]["targets"] == ["lynx"]
    assert shown["options"]["mean"] == [0.5, 0.5, 0.5]
    assert shown["options"]["stride"] == 112
    assert shown["numbers"]["targets"] == [287]
    assert shown["network"]["weights"]["sha256"] == catalog.entries()["efficientnet_lite0"].sha256
    assert set(shown["versions"]) == {"cnnviz", "matplotlib", "numpy", "pillow", "python", "torch"}
    assert not {"output", "overwrite", "raw", "lines", "quiet", "debug", "offline"} & set(shown["options"])
    assert str(Path.cwd()) not in json.dumps(shown)


@pytest.mark.slow
def test_the_same_command_in_two_processes_and_a_rerun_give_the_same_bytes(run: Run) -> None:
    words = ("occlude", "cat.jpg", *FEW, "-q", "--raw")
    for number in (1, 2):
        assert run(*words, f"{number}.npz", "-o", f"{number}.png").status == 0
    assert same("1.png", "2.png")
    assert same("1.npz", "2.npz")
    Path("far").mkdir()
    done = run("show", "--rerun", "../1.png", "-o", "again.png", cwd=Path("far"))  # the photo lies beside 1.png
    assert (done.status, done.stdout, done.errors) == (0, b"", ["cnnviz: ../cat.jpg -> again.png"])
    assert same("1.png", "far/again.png")
    assert cli.invoke(["show", "--rerun", "1.npz", "-o", "again.npz"]) == 0
    assert same("1.npz", "again.npz")
    assert sorted(os.listdir()) == ["1.npz", "1.png", "2.npz", "2.png", "again.npz", "cat.jpg", "far"]


@pytest.mark.parametrize("ending", ["jpg", "webp"])
def test_other_formats_and_every_kind_of_option_run_again(ending: str) -> None:
    words = ["--class", "lynx", "--class", "7", "--class", "tiger cat", "--bare", "--colormap", "jet", "--fit", "pad"]
    words += [
        "--mean",
        "0.4,0.5,0.6",
        "--fill",
        "noise",
        "--seed",
        "3",
        "--background",
        "#102030",
        "--frame",
        "0",
        "-q",
    ]
    for number in (1, 2):
        assert cli.invoke(["occlude", "cat.jpg", *FEW, *words, "-o", f"{number}.{ending}"]) == 0
    assert cli.invoke(["show", "--rerun", f"1.{ending}", "-o", f"3.{ending}"]) == 0
    assert same(f"1.{ending}", f"2.{ending}")
    assert same(f"1.{ending}", f"3.{ending}")


@pytest.mark.parametrize("ending", ["pdf", "svg"])
def test_vector_figures_hold_their_recipe_and_run_again(ending: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["occlude", "cat.jpg", *FEW, "--theme", "dark", "--class", "lynx", "-q", "-o", f"1.{ending}"]
    assert cli.invoke(words) == 0
    assert cli.invoke(["show", f"1.{ending}"]) == 0
    assert json.loads(capsys.readouterr().out)["options"]["theme"] == "dark"
    assert cli.invoke(["show", "--rerun", f"1.{ending}", "-o", f"2.{ending}"]) == 0
    assert same(f"1.{ending}", f"2.{ending}")
    assert cli.invoke(words) == 0  # a result of ours is replaced
    assert cli.invoke([*words, "--bare"]) == 2


def test_weights_and_classes_of_ones_own_are_found_beside_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("work").mkdir()
    own = weights.weights_path(catalog.entries()["efficientnet_lite0"])
    assert own
    Path("work/own.pth").symlink_to(own)
    Path("work/names.txt").write_text("\n".join(f"thing {n}" for n in range(1000)))
    files = ["--weights", "work/own.pth", "--class-names", "work/names.txt"]
    assert cli.invoke(["occlude", "cat.jpg", *FEW, *files, "--class", "thing 5", "-o", "work/a.png"]) == 0
    assert cli.invoke(["show", "--rerun", "work/a.png", "-o", "b.png"]) == 0
    assert same("work/a.png", "b.png")
    Path("work/names.txt").write_text("other")
    assert cli.invoke(["show", "--rerun", "work/a.png", "-o", "c.png"]) == 1
    assert not Path("c.png").exists()


def test_a_result_from_standard_input_needs_its_photo_named(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    photo = Path("cat.jpg").rename("elsewhere.jpg")
    assert run("occlude", "-", *FEW, "-o", "a.png", stdin=photo.read_bytes()).status == 0
    assert cli.invoke(["show", "--rerun", "a.png", "-o", "b.png"]) == 1
    assert (
        capsys.readouterr().err == "cnnviz: a.png: the photo, -, is neither beside it nor here; name it with --input\n"
    )
    assert cli.invoke(["show", "--rerun", "a.png", "--input", "elsewhere.jpg", "-o", "b.png"]) == 0
    assert same("a.png", "b.png")


def test_other_versions_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.invoke(["occlude", "cat.jpg", *FEW, "-q"]) == 0
    with Image.open("cat-occlude.png") as image:
        recipe = json.loads(image.info[KEY])
    recipe["versions"]["torch"] = "1.0\x1b[31m" + "x" * 10_000
    made_up(**recipe)
    assert cli.invoke(["show", "--rerun", "x.png", "-o", "y.png"]) == 0
    first, second = capsys.readouterr().err.splitlines()
    assert first == "cnnviz: cat.jpg -> y.png"
    assert second.startswith(r"cnnviz: the bytes may differ: made with torch 1.0\x1b[31mxxx")
    assert len(second) < 300


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["no.png"], 1, "no.png: no such file"),
        (["."], 1, ".: is not a file"),
        (["cat.jpg"], 1, "cat.jpg: has no recipe"),
        (["x.png", "-o", "y.png"], 2, "--output requires --rerun"),
        (["--rerun", "x.png"], 2, "needs -o"),
        (["--rerun", "x.png", "-o", "y.png", "--input", "no.jpg"], 1, "no.jpg: no such file"),
        (["--rerun", "x.png", "-o", "y.png", "--input", "x.png"], 1, "another sha256"),
        (["--rerun", "x.png", "-o", "cat.jpg"], 2, "is an input"),
        (["--rerun", "x.png", "-o", "y.gif"], 2, "end the name in"),
    ],
)
def test_mistakes_are_one_line(words: list[str], status: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    made_up()
    assert cli.invoke(["show", *words]) == status
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert told in err


HOSTILE: list[tuple[dict[str, Any], str]] = [
    ({"options": "left out"}, "is incomplete"),
    ({"options": []}, "is incomplete"),
    ({"input": "cat.jpg"}, "is incomplete"),
    ({"input": ["cat.jpg"]}, "is incomplete"),
    ({"input": {"name": "cat.jpg"}}, "is incomplete"),
    ({"input": {"name": ["cat.jpg"], "sha256": "0"}}, "is incomplete"),
    (
        {"input": SOURCE | {"name": "../../../../../../etc/passwd"}},
        "the photo, ../../../../../../etc/passwd, is neither",
    ),
    ({"input": SOURCE | {"name": "/etc/passwd"}}, "neither"),
    ({"input": SOURCE | {"name": ".."}}, "neither"),
    ({"input": SOURCE | {"name": ""}}, "neither"),
    ({"input": SOURCE | {"name": "a\0b"}}, "neither"),
    ({"input": SOURCE | {"name": "x" * 5000}}, "neither"),
    ({"input": SOURCE | {"name": "\ud800\x1b[31m\x9b"}}, r"\ud800\x1b[31m\x9b"),
    ({"input": SOURCE | {"sha256": "0" * 64}}, "another sha256"),
    ({"command": "show"}, "no command 'show'"),
    ({"command": "rm -rf"}, "no command 'rm -rf'"),
    ({"command": "\x1b[31m" + "x" * 10_000}, "no command"),
    ({"command": "doctor"}, "no command 'doctor' that writes"),
    ({"command": "classify"}, "no command 'classify' that writes"),
    ({"options": {"no_such": 1}}, "no option 'no_such'"),
    ({"options": {"x\x1b[31m" * 5000: 1}}, "no option"),
    ({"options": {"help": True}}, "no option 'help'"),
    ({"options": {"inputs": ["/etc/passwd"]}}, "no option 'inputs'"),
    ({"options": {"output": "z.png"}}, "no option 'output'"),
    ({"options": {"overwrite": True}}, "no option 'overwrite'"),
    ({"options": {"raw": "z.npz"}}, "no option 'raw'"),
    ({"sheet": {"option": "overwrite", "picture": ".png"}}, "of a second image that no command draws"),
    ({"sheet": {"option": "report", "picture": "/../x.png"}}, "of a second image that no command draws"),
    ({"sheet": {"option": ["report"], "picture": [1]}}, "of a second image that no command draws"),
    ({"sheet": {"option": "report", "picture": [1]}}, "of a second image that no command draws"),
    ({"sheet": "report"}, "of a second image that no command draws"),
    ({"sheet": {"option": "report", "picture": ".png"}}, "of a second image"),
    ({"options": {"debug": True}}, "no option 'debug'"),
    ({"options": {"class_names": "/etc/passwd"}}, "neither"),
    ({"options": {"weights": ["/etc/passwd"]}}, "neither"),
    ({"options": {"class_names": {"file": "/etc/passwd", "sha256": "0"}}}, "/etc/passwd, is neither"),
    ({"options": {"class_names": {"file": "cat.jpg"}}}, "another sha256"),
    ({"options": {"stride": "many"}}, "--stride"),
    ({"options": {"stride": {"a": 1}}}, "--stride"),
    ({"options": {"stride": True}}, "--stride"),
    ({"options": {"stride": -1}}, "--stride"),
    ({"options": {"mean": [1, 2]}}, "three numbers"),
    ({"options": {"mean": [[[1]], None, {}]}}, "three numbers"),
    ({"options": {"model": "../../etc/passwd"}}, "no network is named"),
    ({"options": {"fill": "\x1b]0;title\x07"}}, "--fill"),
]


@pytest.mark.parametrize(("parts", "told"), HOSTILE)
def test_a_made_up_recipe_is_refused_in_one_line_and_nothing_done(
    parts: dict[str, Any], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up(**parts)
    assert cli.invoke(["show", "--rerun", "x.png", "-o", "y.png"]) in (1, 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("cnnviz: ")
    assert err.count("\n") == 1
    assert told in err
    assert "internal error" not in err
    assert all(c.isprintable() for c in err[:-1])
    assert sorted(os.listdir()) == ["cat.jpg", "x.png"]


def test_what_is_shown_can_do_nothing_to_a_terminal(run: Run) -> None:
    text = "\x00\x07\x1b[2J\x7f\x80\x9b31m\u202e\u2028\ud800 é 猫 😀 \U000e0041 [bold]"
    made_up(numbers={text: [text]})
    done = run("show", "x.png")
    assert (done.status, done.stderr) == (0, b"")
    shown = done.stdout.decode()
    assert json.loads(shown)["numbers"] == {text: [text]}
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert "é 猫 😀" in shown


def test_a_recipe_nested_too_deep_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for depth in (300, 900, 5000):
        nested = "[" * depth + "]" * depth
        info = PngImagePlugin.PngInfo()
        info.add_itxt(KEY, f'{{"recipe": 1, "command": "occlude", "options": {nested}}}')
        Image.new("RGB", (2, 2)).save("x.png", pnginfo=info)
        status = cli.invoke(["show", "x.png"])
        out, err = capsys.readouterr()
        assert (status, err.count("\n")) in ((0, 0), (1, 1)), depth
        assert "internal error" not in err
        assert bool(out) is (status == 0)


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"input": SOURCE},
        {"options": {}},
        {"input": {"name": 1, "sha256": "x"}, "options": {}},
        {"input": SOURCE, "options": []},
    ],
)  # fmt: skip
def test_incomplete_recipes_are_refused(recipe):
    with pytest.raises(CnnvizError, match="incomplete"):
        check_recipe(recipe)


def test_complete_recipes_are_taken():
    check_recipe({"input": SOURCE, "options": {}})
    check_recipe({"input": None, "options": {}})


def test_arrays_and_second_images_put_the_first_image_aside():
    spare = Path("spare")
    assert output_words(Path("a.png"), {}, "b.png", spare) == ["-o", "b.png"]
    assert output_words(Path("a.npz"), {}, "b.npz", spare) == ["--raw", "b.npz", "-o", "spare/image.png", "--quiet"]
    sheet = {"sheet": {"option": "report", "picture": ".jpg"}}
    assert output_words(Path("a.png"), sheet, "b.png", spare) == [
        "--report",
        "b.png",
        "-o",
        "spare/image.jpg",
        "--quiet",
    ]
    for wrong in ({"option": "-o x"}, {"option": None}, "x", {"option": "report", "picture": "/etc"}):
        with pytest.raises(CnnvizError, match="no command draws"):
            output_words(Path("a.png"), {"sheet": wrong}, "b.png", spare)
