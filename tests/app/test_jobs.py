"""Which inputs, which outputs, and what happens when one of many fails."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnviz.app.jobs import Job, add_second_file, find_inputs, plan_jobs, plan_network_job, refuse_clashes
from cnnviz.errors import InvalidRequest
from cnnviz.io import write
from tests.conftest import PHOTOS, Run

PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(*names: str, data: bytes = b"") -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(data)


def planned(*inputs: str, target: str | None = None) -> dict[str, str | None]:
    return {job.source: job.output for job in plan_jobs(inputs, target, "-occlude.png")}


# --- inputs


def test_folders_are_walked_in_order_and_hidden_things_left_out() -> None:
    files("d/b.jpg", "d/a.PNG", "d/sub/c.webp", "d/.hidden.jpg", "d/.git/x.jpg", "d/notes.txt")
    files("d/no_ending", data=PNG)
    assert [(job.source, job.folder) for job in find_inputs(["d"])] == [
        ("d/a.PNG", "."), ("d/b.jpg", "."), ("d/no_ending", "."), ("d/sub/c.webp", "sub"),
    ]  # fmt: skip


def test_files_are_taken_as_given_and_once() -> None:
    files("d/a.jpg", "odd")
    names = ["odd", "missing", "d/a.jpg", "d", "odd", "-", "-x.jpg"]
    assert [job.source for job in find_inputs(names)] == ["odd", "missing", "d/a.jpg", "-", "-x.jpg"]


def test_only_streams_are_streams() -> None:
    streams, named = ("-", "/dev/stdin", "/dev/fd/63", "/proc/self/fd/0"), ("-x.jpg", "/dev/fd/x.jpg", "d/-")
    assert [(Job(name).name, Job(name).stem) for name in streams] == [("-", "stdin")] * 4
    assert [Job(name).name for name in named] == ["-x.jpg", "x.jpg", "-"]
    assert [Job(name).stem for name in named] == ["-x", "x", "-"]


def test_a_folder_without_pictures_and_an_empty_name_are_mistakes() -> None:
    files("d/notes.txt")
    with pytest.raises(InvalidRequest, match="d: holds no pictures"):
        find_inputs(["d"])
    with pytest.raises(InvalidRequest, match="empty"):  # and not the current folder, as from "$UNSET"
        find_inputs([""])


def test_a_folder_that_cannot_be_read_fails_and_the_rest_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    files("d/a.jpg", "d/closed/b.jpg")
    real = os.scandir

    def scandir(path: Any) -> Any:
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    jobs = find_inputs(["d"])
    assert [(job.source, job.trouble) for job in jobs] == [("d/a.jpg", ""), ("d/closed", "permission denied")]


# --- outputs


def test_without_a_target_results_lie_here_after_their_input() -> None:
    assert planned("/far/cat.jpg", "-") == {"/far/cat.jpg": "cat-occlude.png", "-": "stdin-occlude.png"}


def test_a_folder_mirrors_the_tree_of_the_inputs() -> None:
    files("d/a.jpg", "d/sub/deep/b.jpg")
    made = {"d/a.jpg": "out/a-occlude.png", "d/sub/deep/b.jpg": "out/sub/deep/b-occlude.png"}
    assert planned("d", target="out/") == planned("d/", target="out/") == made
    Path("out").mkdir()
    assert planned("d", target="out") == made


def test_two_inputs_of_one_stem_keep_their_whole_names() -> None:
    assert planned("a.jpg", "a.png", "b.jpg", target="o/") == {
        "a.jpg": "o/a.jpg-occlude.png", "a.png": "o/a.png-occlude.png", "b.jpg": "o/b-occlude.png",
    }  # fmt: skip


def test_results_in_an_input_folder_are_no_inputs_but_what_others_wrote_is() -> None:
    files("d/cat.jpg", "d/door-occlude.png", data=PNG)
    recipe = {"recipe": 1, "command": "occlude"}
    write.write_image("d/cat-occlude.png", np.zeros((2, 2, 3), np.uint8), recipe)
    assert list(planned("d", target="d/")) == ["d/cat.jpg", "d/door-occlude.png"]
    assert list(planned("d", target="elsewhere/")) == ["d/cat-occlude.png", "d/cat.jpg", "d/door-occlude.png"]


@pytest.mark.parametrize(
    ("inputs", "target", "told"),
    [
        (["a.jpg", "b.jpg"], "x.png", "-o x.png: 2 inputs need a folder; end it with a slash"),
        (["a.jpg", "b.jpg"], "-", "-o -: 2 inputs need a folder"),
        (["a.jpg"], "x.gif", "-o x.gif: end the name in .png, .jpg, .jpeg, .webp"),
        (["a.jpg"], "", "end the name in"),
    ],
)
def test_targets_that_cannot_be(inputs: list[str], target: str, told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        planned(*inputs, target=target)
    assert told in str(caught.value)


def refused(jobs: list[Job]) -> str:
    with pytest.raises(InvalidRequest) as caught:
        refuse_clashes(jobs)
    return str(caught.value)


def test_a_network_is_one_job_called_after_it_whatever_files_are_there() -> None:
    files("alexnet/cat.jpg")
    Path("out").mkdir()
    planned = {target: plan_network_job("alexnet", target, "-kernels.png") for target in (None, "out", "a.webp", "-")}
    assert {target: [(job.source, job.output) for job in jobs] for target, jobs in planned.items()} == {
        None: [("alexnet", "alexnet-kernels.png")], "out": [("alexnet", "out/alexnet-kernels.png")],
        "a.webp": [("alexnet", "a.webp")], "-": [("alexnet", "-")],
    }  # fmt: skip
    assert plan_network_job("timm:resnet18.a1_in1k", None, "-k.png")[0].output == "timm-resnet18.a1_in1k-k.png"
    with pytest.raises(InvalidRequest, match="end the name in"):
        plan_network_job("alexnet", "a.gif", "-kernels.png")


def test_two_inputs_never_share_an_output() -> None:
    files("d1/x.jpg", "d2/x.jpg")
    jobs = plan_jobs(["d1", "d2"], "out/", "-occlude.png")
    assert refused(jobs) == "d1/x.jpg and d2/x.jpg would both be written to out/x.jpg-occlude.png; run them apart"
    Path("b.png").symlink_to("a.png")
    assert "would both be written" in refused([Job("1.jpg", output="a.png"), Job("2.jpg", output="b.png")])
    assert "would both be written to -" in refused([Job("1.jpg", output="-", second="-")])
    assert not Path("out").exists()


def test_an_input_is_never_written_to() -> None:
    files("a.jpg", "b.jpg")
    os.link("a.jpg", "hard.jpg")
    Path("soft.jpg").symlink_to("a.jpg")
    Path("folder").symlink_to(".")
    for name in ("a.jpg", "./a.jpg", "hard.jpg", "soft.jpg", "folder/a.jpg"):
        assert refused([Job("b.jpg", output="new.png"), Job("a.jpg", output=name)]).endswith(
            f"{name}: is an input, and an input is never written to"
        )
    assert "is an input" in refused([Job("soft.jpg", output="a.jpg")])
    assert "is an input" in refused([Job("a.jpg", output="new.png", second="a.jpg")])
    # An input that is not there yet, and would be after the first job.
    assert "is an input" in refused([Job("b.jpg", output="later.png"), Job("later.png", output="c.png")])


def test_standard_input_and_output_count_by_the_file_behind_them(run: Run) -> None:
    Path("cat.jpg").write_bytes((PHOTOS / "chelsea.jpg").read_bytes())
    before = Path("cat.jpg").read_bytes()
    for words, script in (
        (["-", "-o", "cat.jpg", "--overwrite"], '"$@" < cat.jpg'),
        (["cat.jpg", "-o", "-"], '"$@" >> cat.jpg'),
        (["cat.jpg", "-o", "/dev/stdout"], '"$@" 1<> cat.jpg'),
    ):
        done = run("occlude", *words, script=script)
        assert done.status == 2
        assert "is an input, and an input is never written to" in done.errors[0]
        assert Path("cat.jpg").read_bytes() == before


def test_second_files_belong_to_the_same_inputs_also_when_earlier_results_lie_among_them(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"x")
    write.write_image(str(folder / "a-occlude.png"), np.zeros((2, 2, 3), np.uint8), {"recipe": 1, "command": "occlude"})
    jobs = plan_jobs([str(folder)], str(folder), "-occlude.png")
    both = add_second_file(jobs, f"{tmp_path}/raw/", "-occlude.npz", "--raw")
    assert [(Path(job.source).name, job.second) for job in both] == [("a.jpg", f"{tmp_path}/raw/a-occlude.npz")]
