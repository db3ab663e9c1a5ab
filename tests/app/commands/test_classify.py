"""``classify``: a table for a person, lines for a program."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from PIL import Image

import cnnviz
from cnnviz import cli
from tests.conftest import PHOTOS, Run

SCHEMA = json.loads((Path(cnnviz.__file__).parent / "data" / "schema-1.json").read_text("utf-8"))
CAT = str(PHOTOS / "chelsea.jpg")
# What timm's tf_efficientnet_lite0 with these weights and its own transform says of the same photograph.
TOP = [(282, "tiger cat"), (285, "Egyptian cat"), (281, "tabby")]


def lines(text: str | bytes) -> list[dict[str, Any]]:
    """Read NDJSON whose every line keeps to the schema."""
    found = [json.loads(line) for line in text.splitlines()]
    for line in found:
        Draft202012Validator(SCHEMA).validate(line)
    return found


def test_the_table_names_the_input_and_its_classes(run: Run) -> None:
    done = run("classify", CAT, "--top", "3")
    assert (done.status, done.stderr) == (0, b"")
    head, *rows = done.stdout.decode().splitlines()
    assert head == CAT
    assert [(int(row.split()[-2]), " ".join(row.split()[:-2])) for row in rows] == TOP
    assert [float(row.split()[-1].rstrip("%")) for row in rows] == pytest.approx([38.53, 34.27, 18.18], abs=0.5)


def test_json_lines_keep_to_the_schema_failures_too(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    done = run("classify", "no.jpg", CAT, "bad.png", "-", b"\xff.jpg", "--json", stdin=Path(CAT).read_bytes())
    assert done.status == 1
    found = lines(done.stdout)
    assert [(line["input"], line["status"]) for line in found] == [
        ("no.jpg", "error"), (CAT, "ok"), ("bad.png", "error"), ("-", "ok"), ("\udcff.jpg", "error"),
    ]  # fmt: skip
    assert [f"cnnviz: {line['error']}" for line in found if line["error"]] == done.errors
    assert [(row["index"], row["name"]) for row in found[1]["top"][:3]] == TOP
    assert found[1]["top"] == found[3]["top"]
    assert len(found[1]["top"]) == 5
    assert found[1]["network"] == "efficientnet_lite0"
    assert found[1]["seconds"] > 0


def test_occlude_keeps_to_the_schema_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--window", "112", "--stride", "112", "--seed", "5", "--class", "lynx", "--class", "7", "--json", "-q"]
    out, raw = f"{tmp_path}/out/", f"{tmp_path}/raw/"
    assert cli.invoke(["occlude", "no.jpg", CAT, *words, "-o", out, "--raw", raw]) == 1
    failed, done = lines(capsys.readouterr().out)
    assert (failed["status"], failed["output"], failed["command"]) == ("error", None, "occlude")
    assert (done["output"], done["raw"]) == (f"{out}chelsea-occlude.png", f"{raw}chelsea-occlude.npz")
    assert (done["targets"], done["positions"], done["seed"]) == ([287, 7], 4, 5)
    assert [row["index"] for row in done["top"][:3]] == [index for index, _ in TOP]


def test_the_schema_is_one_and_notices_what_is_wrong() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    check = Draft202012Validator(SCHEMA).is_valid
    top = [{"index": 1, "name": "a", "probability": 0.5}]
    good = {
        "schema": "cnnviz/1", "command": "classify", "input": "-", "output": None, "status": "ok", "error": None,
        "network": "n", "seconds": 0.1, "seed": 0, "top": top,
    }  # fmt: skip
    assert check(good)
    assert check(good | {"later": 1})
    assert not any(check({key: value for key, value in good.items() if key != left}) for left in good)
    wrong: list[dict[str, Any]] = [
        {"schema": "cnnviz/2"}, {"status": "fine"}, {"status": "error"}, {"error": "a reason"}, {"network": None},
        {"seconds": -1}, {"top": []}, {"top": [{"index": 1}]}, {"command": "occlude", "output": "a.png"},
        {"command": "kernels", "output": "a.png"}, {"command": "activations", "output": "a.png"},
        {"output": "a.png"}, {"seed": 0.5}, {"top": [{"index": 1, "name": "a", "probability": 2}]},
    ]  # fmt: skip
    assert [part for part in wrong if check(good | part)] == []
    assert check(good | {"status": "error", "error": "a reason", "network": None})


def test_weights_that_are_not_here_have_their_line_for_every_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert cli.invoke(["classify", CAT, CAT + "/", "x.jpg", "-m", "resnet50", "--offline", "--json"]) == 3
    out, err = capsys.readouterr()
    found = lines(out)
    assert [line["input"] for line in found] == [CAT, CAT + "/", "x.jpg"]
    assert {line["error"] for line in found} == {err.removeprefix("cnnviz: ").removesuffix("\n")}


def test_a_class_name_of_ones_own_can_do_nothing_to_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("\ufeff" + "\n".join(f"thing\x9b {n}\x1b[31m" for n in range(1000)))
    assert cli.invoke(["classify", CAT, "--class-names", str(names), "--top", "1"]) == 0
    row = capsys.readouterr().out.splitlines()[1]
    assert row.split()[:3] == [r"thing\x9b", r"282\x1b[31m", "282"]
    names.write_text("\ufeffzero\n\n" + "\n".join(map(str, range(1, 1000))))
    assert cli.invoke(["classify", CAT, "--class-names", str(names), "--top", "1000", "--json"]) == 0
    assert {row["index"]: row["name"] for row in lines(capsys.readouterr().out)[0]["top"]}[0] == "zero"


@pytest.mark.parametrize(
    ("data", "told"), [(b"", "holds no names"), (b" \n\n", "holds no names"), (b"\xff", "is not UTF-8")]
)
def test_class_names_that_cannot_be(data: bytes, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "names.txt").write_bytes(data)
    assert cli.invoke(["classify", CAT, "--class-names", f"{tmp_path}/names.txt"]) == 2
    assert capsys.readouterr().err == f"cnnviz: --class-names {tmp_path}/names.txt: {told}\n"
    assert cli.invoke(["classify", CAT, "--class-names", "/dev/null"]) == 2
    assert "/dev/null: is not a file" in capsys.readouterr().err


def test_what_is_missing_is_told_before_torch_is_loaded(tmp_path: Path) -> None:
    Image.new("L", (3, 3)).save(tmp_path / "a.png")
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut short")
    code = """
import os, sys
from cnnviz.cli import invoke
os.environ["TORCH_HOME"] = "nowhere"
print([int(invoke(["classify", *words])) for words in (
    ["no.jpg"], ["bad.jpg"], ["a.png", "--weights", "no.pth"], ["a.png", "-m", "resnet50", "--offline"])])
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "[1, 1, 3, 3]\nFalse\n"
