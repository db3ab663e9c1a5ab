"""``cnnviz occlude`` from a command line to files on disk."""

import io
import json

import numpy as np
import pytest
import torch
from captum.attr import Occlusion
from PIL import Image

from cnnviz import fit, read_photo
from cnnviz.io.photo import decode_photo
from tests.support.networks import lite0

FEW = ("--window", "112", "--stride", "56", "--border", "inside")  # 9 places


def test_the_raw_arrays_are_captums_and_lie_on_the_photo(run, photo):
    done = run(
        "occlude", photo, *FEW, "--fill", "grey", "--class", "tiger cat", "--class", "285", "--raw", "cat.npz", "--json"
    )
    assert done.status == 0, done.errors
    line = json.loads(done.stdout)
    assert line["targets"] == [282, 285]
    assert line["positions"] == 9
    assert (line["output"], line["raw"]) == ("cat-occlude.png", "cat.npz")
    raw = np.load(photo.with_name("cat.npz"))
    assert {name: raw[name].shape for name in raw.files if name != "recipe"} == {
        "logits": (9, 1000), "clean_logits": (1000,), "positions": (9, 2), "window": (), "stride": (),
        "targets": (2,), "maps": (2, 224, 224), "photo_maps": (2, 300, 451),
    }  # fmt: skip

    network = lite0()
    x, geometry = fit(read_photo(photo), network)
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(raw["clean_logits"]), network(x)[0], rtol=1e-4, atol=1e-4)
        oracle = Occlusion(lambda inputs: network(inputs).softmax(1)).attribute(
            x, sliding_window_shapes=(3, 112, 112), strides=(3, 56, 56), baselines=0.5, target=285
        )[0, 0]
    assert np.abs(raw["maps"][1] - oracle.numpy()).max() <= 1e-4 * float(oracle.max() - oracle.min())
    np.testing.assert_array_equal(raw["photo_maps"], geometry.to_photo(raw["maps"]))
    seen = ~np.isnan(raw["photo_maps"][0])
    left, top, right, bottom = geometry.box()
    assert seen[top:bottom, left:right].all()
    assert seen.sum() == (bottom - top) * (right - left)


def test_bare_is_as_large_as_the_photo_and_several_classes_stand_side_by_side(run, photo):
    done = run("occlude", photo, *FEW, "--bare", "-o", "-")
    assert (done.status, done.errors) == (0, [])
    assert Image.open(io.BytesIO(done.stdout)).size == (451, 300)
    done = run("occlude", photo, *FEW, "--bare", "--class", "282", "--class", "285", "-o", "-")
    assert Image.open(io.BytesIO(done.stdout)).size == (902, 300)


@pytest.mark.parametrize("words", [["--class", "nosuchthing"], ["--class", "cardigan"], ["--class", "1000"],
                                   ["--window", "0"], ["--window", "300"], ["--fill", "pink"],
                                   ["--raw", "x.txt"]])  # fmt: skip
def test_wrong_usage_is_one_line(run, photo, words):
    done = run("occlude", photo, *words)
    assert done.status == 2
    assert len(done.errors) == 1
    assert not photo.with_name("cat-occlude.png").exists()


def test_a_shared_name_lists_its_indices(run, photo):
    assert "264, 474" in run("occlude", photo, "--class", "cardigan").errors[0]


@pytest.mark.slow
def test_every_fit_fill_and_colour_gives_a_picture(run, photo):
    for words in (["--fit", "squash", "--fill", "mean"], ["--fit", "pad", "--fill", "blur"],
                  ["--fit", "whole", "--fill", "noise"], ["--colormap", "viridis", "--border", "overhang"],
                  ["--score", "logit", "--dtype", "float64"], ["--panels", "--dtype", "float64"]):  # fmt: skip
        few = FEW[:4] if "--border" in words else FEW  # an option of one value is not given twice
        done = run("occlude", photo, *few, *words, "-o", "-")
        assert done.status == 0, (words, done.errors)
        assert np.asarray(Image.open(io.BytesIO(done.stdout))).std() > 10


@pytest.mark.slow
def test_a_photograph_of_108_megapixels_fits_in_two_gigabytes(run, photo):
    Image.open(photo).resize((12000, 9000), Image.Resampling.BICUBIC).save(photo, quality=80)
    assert "--max-pixels" in run("occlude", photo, *FEW).errors[0]
    words = [photo, *FEW, "--max-pixels", "120000000", "-o", "big.png"]
    peak = "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:]); " \
           "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(done.returncode)"  # fmt: skip
    done = run("occlude", *words, script=f"python3 -c '{peak}' \"$@\"", timeout=400)
    assert done.status == 0, done.errors
    assert int(done.stdout) * 1024 < 2e9  # library pages vary by 0.2e9 with the page cache


def test_what_the_time_limit_stopped_is_partial_and_resume_makes_the_same_bytes(run, photo):
    words = ["occlude", photo, "--window", "32", "--stride", "8"]
    stopped = run(*words, "--time-limit", "0.001", "-o", "a.png", "--json")
    assert stopped.status == 0, stopped.errors
    line = json.loads(stopped.stdout)
    assert line["status"] == "partial"
    assert 0 < line["positions_done"] < line["positions"] == 31 * 31
    assert photo.with_name("a.png.partial.npz").is_file()
    rerun = run("show", "--rerun", "a.png", "-o", "b.png")
    assert rerun.status == 1
    assert "--resume" in rerun.errors[0]
    assert run(*words, "--resume", "-o", "a.png").status == 0
    assert run(*words, "-o", "c.png").status == 0
    assert photo.with_name("a.png").read_bytes() == photo.with_name("c.png").read_bytes()
    assert not photo.with_name("a.png.partial.npz").exists()


def test_unfinished_work_of_other_settings_is_not_taken_up(run, photo):
    assert run("occlude", photo, "--stride", "8", "--time-limit", "0.001", "-o", "a.png").status == 0
    again = run("occlude", photo, *FEW, "--resume", "-o", "a.png")
    assert again.status == 0
    assert any("starting anew" in line for line in again.errors)


@pytest.mark.slow
def test_interrupted_work_leaves_a_picture_and_130(run, photo):
    words = ["occlude", photo, "--window", "8", "--stride", "2", "--engine", "plain", "-o", "a.png"]
    done = run(*words, script='timeout --preserve-status -s INT 8 "$@"', timeout=60)
    assert done.status == 130, done.errors
    assert json.loads(run("show", "a.png").stdout)["numbers"]["positions_done"] > 0
    assert photo.with_name("a.png.partial.npz").is_file()


def test_panels_show_every_part_of_the_figure(run, photo):
    done = run("occlude", photo, *FEW, "--panels", "--layer", "blocks.4", "-o", "a.svg", "--raw", "a.npz")
    assert done.status == 0, done.errors
    arrays = np.load(photo.with_name("a.npz"))
    assert str(arrays["layer"]) == "blocks.4"
    assert arrays["activations"].shape == (len(arrays["positions"]),)
    assert run("occlude", photo, *FEW, "--panels", "--class", "1", "--class", "2", "-o", "b.svg").status == 0
    five, six = (photo.with_name(name).read_text() for name in ("a.svg", "b.svg"))
    assert all(f">{title}</text>" in five for title in ("Lowest probability", "Predicted class"))
    assert f"channel {arrays['channel']}</text>" in five
    assert (five.count(">Drop of "), six.count(">Drop of ")) == (1, 2)  # one panel more for one class more


def test_cells_are_not_interpolated(run, photo):
    drawn = {}
    for name, words in {"smooth": [], "cells": ["--cells"]}.items():
        assert run("occlude", photo, *FEW, *words, "--bare", "-o", f"{name}.png").status == 0
        drawn[name] = decode_photo(photo.with_name(f"{name}.png").read_bytes()).astype(int)
    tint = {name: image[140, 100:350, 0] - image[140, 100:350, 2] for name, image in drawn.items()}  # red minus blue
    steps = {name: np.abs(np.diff(values)).max() for name, values in tint.items()}
    assert steps["cells"] > 3 * steps["smooth"]


@pytest.mark.parametrize(
    "words",
    [
        ["--layer", "blocks.4"],
        ["--panels", "--bare"],
        ["--panels", "--cells"],
        ["--bare", "-o", "a.pdf"],
        ["--panels", "--layer", "nose"],
    ],
)
def test_panels_that_cannot_be_are_refused(run, photo, words):
    done = run("occlude", photo, *FEW, *words, *(() if "-o" in words else ("-o", "a.png")))
    assert (done.status, len(done.errors)) == (2, 1)
