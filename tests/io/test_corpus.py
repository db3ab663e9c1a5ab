"""The corpus through the real command line: one line for each failure, a right answer for each of the others."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from cnnviz import fit, read_photo
from cnnviz.text import printable
from tests.support import corpus
from tests.support.networks import lite0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("corpus")


@pytest.fixture(scope="module")
def cases(folder):
    return corpus.build(folder)


@pytest.fixture(scope="module")
def network():
    return lite0()


ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # threads that wait for each other take minutes on a busy machine


@pytest.fixture
def no_ghostscript(tmp_path):
    """A folder for PATH in which gs leaves a trace when it is started."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "gs").write_text(f"#!/bin/sh\ntouch {programs}/started\n")
    (programs / "gs").chmod(0o755)
    yield ONE_THREAD | {"PATH": f"{programs}:{os.environ['PATH']}"}
    assert not (programs / "started").exists()


def probabilities(network, path):
    with torch.inference_mode():
        inputs, _ = fit(read_photo(path), network, "squash")
        return network(inputs)[0].softmax(0).numpy()


def check(cases, ran, network):
    """Compare what a run said of these cases with the truth."""
    lines = {line["input"]: line for line in map(json.loads, ran.stdout.splitlines())}
    assert b"Traceback" not in ran.stderr + ran.stdout
    assert set(lines) == {str(case.path) for case in cases}
    assert len(ran.stdout.splitlines()) == len(lines)
    for case in cases:
        said = [text for text in ran.errors if text.startswith(f"cnnviz: {printable(str(case.path))}: ")]
        line = lines[str(case.path)]
        assert len(said) == (0 if case.good and not case.says else 1), (case, said)
        assert all(case.says in text for text in said)
        assert line["status"] == ("ok" if case.good else "error"), line
        assert line["output"] is None
        if not case.good:
            assert line["seconds"] < 10
            assert said == [f"cnnviz: {line['error']}"]
            assert line["network"] is None or "top" not in line
            continue
        assert line["error"] is None
        expected = probabilities(network, case.path)
        assert [top["probability"] for top in line["top"]] == pytest.approx(np.sort(expected)[:-6:-1], abs=2e-5)
        assert [top["probability"] for top in line["top"]] == pytest.approx(
            [expected[top["index"]] for top in line["top"]], abs=2e-5
        )
    assert len(ran.errors) == sum(not case.good or bool(case.says) for case in cases)
    assert ran.status == (0 if all(case.good for case in cases) else 1)


@pytest.mark.slow
def test_every_file_named_in_one_process(run, cases, network, no_ghostscript):
    named = [case for case in cases if case.path.parent.name != "folder.jpg"]
    ran = run("classify", "--json", "--fit", "squash", *[case.path for case in named], env=no_ghostscript, timeout=600)
    check(named, ran, network)
    tops = [json.dumps(line["top"]) for line in map(json.loads, ran.stdout.splitlines()) if line["status"] == "ok"]
    assert len(tops) == len(set(tops)) == sum(case.good for case in named)  # no answer could pass for another's


@pytest.mark.slow
def test_the_folder_gives_what_ends_or_begins_like_a_picture(run, folder, cases, network):
    ran = run("classify", "--json", "--fit", "squash", folder, env=ONE_THREAD, timeout=600)
    found = {json.loads(line)["input"] for line in ran.stdout.splitlines()}
    left_out = {case.path.name for case in cases if str(case.path) not in found}
    assert left_out == set()
    check(cases, ran, network)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fifo.jpg", "zero.jpg", "socket.jpg", "loop.jpg", "dangling.jpg", "bomb.png"])
def test_one_alone_ends_at_once_without_loading_torch(run, folder, cases, name, tmp_path):
    """A bad file costs no network: the program ends long before torch would be there."""
    ran = run("classify", folder / name, timeout=30, env={"PYTHONPROFILEIMPORTTIME": "1"})
    case = next(case for case in cases if case.path.name == name)
    said = [line for line in ran.errors if not line.startswith("import time:")]
    assert (ran.status, ran.stdout) == (1, b"")
    assert len(said) == 1
    assert said[0].startswith(f"cnnviz: {folder / name}: ")
    assert case.says in said[0]
    assert not [line for line in ran.errors if line.startswith("import time:") and line.endswith("| torch")]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0"])
def test_standard_input_is_read_under_each_of_its_names(run, cases, network, name):
    case = next(case for case in cases if case.path.name == "plain.png")
    ran = run("classify", "--json", "--fit", "squash", name, stdin=case.path.read_bytes())
    line = json.loads(ran.stdout)
    assert (ran.status, ran.stderr, line["input"]) == (0, b"", name)
    assert line["top"][0]["probability"] == pytest.approx(probabilities(network, case.path).max(), abs=2e-5)


@pytest.mark.slow
def test_a_bad_standard_input_fails_in_one_line(run, cases):
    for data, said in ((b"", "-: is empty"), (b"text" * 99, "-: is not an image")):
        ran = run("classify", "-", stdin=data)
        assert (ran.status, ran.stdout, len(ran.errors)) == (1, b"", 1)
        assert ran.errors[0].startswith(f"cnnviz: {said}")


@pytest.mark.slow
def test_process_substitution_is_read(run, cases):
    path = next(case.path for case in cases if case.path.name == "plain.png")
    ran = run("classify", "--json", path, script='"$1" "$2" "$3" <(cat "$4")')
    assert (ran.status, ran.stderr) == (0, b"")
    assert json.loads(ran.stdout)["input"].startswith("/dev/fd/")


@pytest.mark.slow
def test_a_name_with_a_leading_dash_in_the_current_folder(run, folder, cases):
    for name in ("-dash.png", "--json"):
        ran = run("classify", "--json", "--", name, cwd=folder)
        line = json.loads(ran.stdout)
        assert (ran.status, ran.stderr, line["input"], line["status"]) == (0, b"", name, "ok")


@pytest.mark.slow
def test_a_photograph_too_narrow_for_the_crop_says_what_to_do(run, folder, cases):
    ran = run("classify", folder / "tall.png")
    assert ran.status == 1
    assert len(ran.errors) == 1
    assert ran.errors[0].startswith(f"cnnviz: {folder}/tall.png: is too narrow (1x5000)")
    assert "--fit pad or squash" in ran.errors[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x" * 300 + ".jpg", "plain.png/inside.jpg"])
def test_a_name_that_cannot_be_fails_in_one_line(run, folder, cases, name):
    ran = run("classify", Path(folder) / name)
    assert (ran.status, ran.stdout, len(ran.errors)) == (1, b"", 1)
    assert ran.errors[0].startswith(f"cnnviz: {folder / name}: ")
