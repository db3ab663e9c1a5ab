"""The command line's contract, through the real command: statuses, streams, signals, one line for every failure."""

import contextlib
import io
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnviz import cli
from cnnviz.app.discovery import entries
from cnnviz.errors import Status
from tests.conftest import COMMAND, Run, environment

FEW = ("--window", "112", "--stride", "112")
HEAVY = ("torch", "torchvision", "captum", "cv2", "numpy", "PIL")


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def recipe(data: bytes) -> dict:
    return json.loads(Image.open(io.BytesIO(data)).info["cnnviz"])


def child(code: str, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python code that ends the way the command does."""
    command = [sys.executable, "-c", textwrap.dedent(code), *words]
    return subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120)


# --- what is instant


def test_help_version_mistakes_and_completion_load_nothing_heavy(tmp_path: Path) -> None:
    done = child(
        f"""
        import json, os, sys
        from cnnviz import cli
        statuses = [cli.invoke(words.split()) for words in (
            "--help", "--version", "", "--bogus", "occlud", "models resnet", "classes cat", "completion bash",
            "occlude --help", "classify --help", "show --help", "layers --help", "doctor --help",
            "occlude", "occlude --stride 0 x.jpg", "occlude -m resnet5 x.jpg", "classify --top x y.jpg",
            "occlude no.jpg -o -  --json", "occlude a.jpg b.jpg -o c.png", "show no.png",
        )]
        os.environ |= dict(_CNNVIZ_COMPLETE="bash_complete", COMP_WORDS="cnnviz occlude -m ", COMP_CWORD="3")
        statuses.append(cli.invoke([]))
        print(json.dumps([statuses, [name for name in {HEAVY!r} if name in sys.modules]]))
        """,
        tmp_path,
    )
    statuses, loaded = json.loads(done.stdout.splitlines()[-1])
    assert statuses == [0, 0, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 1, 0]
    assert loaded == []


def test_names_and_files_that_do_not_exist_are_refused_before_torch_is_loaded(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "old.png").write_bytes(b"old")
    done = child(
        """
        import json, sys
        from cnnviz import cli
        statuses = [cli.invoke(words.split()) for words in (
            "occlude cat.jpg --class lynxx", "heat cat.jpg --find lynxx", "adversarial cat.jpg --ground-truth lynxx",
            "dream cat.jpg --class lynxx=2", "inceptionism --class lynxx", "robustness cat.jpg --ground-truth lynxx",
            "style cat.jpg --style no.jpg", "dream cat.jpg --class lynx --guide no.jpg",
            "heat no.mp4", "dream no.jpg", "rank no.jpg", "deconv no.jpg --layer blocks.4",
            "inceptionism --class lynx -o old.png", "kernels -o old.png", "rank cat.jpg -o old.png",
            "dream cat.jpg --weights no.pth", "kernels --weights no.pth", "rank cat.jpg --weights no.pth",
        )]
        print(json.dumps([statuses, "torch" in sys.modules]))
        """,
        tmp_path,
    )
    statuses, loaded = json.loads(done.stdout.splitlines()[-1])
    assert statuses == [2] * 8 + [1] * 7 + [3] * 3
    assert not loaded


def test_help_version_and_module(run: Run) -> None:
    shown = run("--help")
    assert (shown.status, shown.stderr) == (0, b"")
    text = shown.stdout.decode()
    assert all(f" {name} " in text for name in entries())
    assert [title in text for title in ("Explain a prediction", "Look inside the network", "Look up")] == [True] * 3
    assert "..." not in text.replace("COMMAND [ARGS]...", "")
    version = run("--version")
    assert (version.status, version.stdout[:7], version.stderr) == (0, b"cnnviz ", b"")
    module = subprocess.run([sys.executable, "-m", "cnnviz", "--version"], capture_output=True)
    assert (module.returncode, module.stdout) == (0, version.stdout)


def test_alone_it_shows_the_help_on_standard_error(run: Run) -> None:
    done = run()
    assert (done.status, done.stdout) == (2, b"")
    assert b"Usage: cnnviz" in done.stderr
    assert b"occlude" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["occlud"], "No such command 'occlud'"),
        (["--bogus"], "--bogus"),
        (["occlude"], "INPUTS"),
        (["completion", "csh"], "csh"),
        (["occlude", "--stride", "0", "x.jpg"], "--stride"),
        (["occlude", "-m", "resnet5", "x.jpg"], "did you mean resnet50"),
        (["occlude", "--mean", "1,2", "x.jpg"], "three numbers"),
        (["occlude", "-o", "x.gif", "x.jpg"], "x.gif: end the name in .png, .jpg, .jpeg, .webp"),
        (["occlude", "--raw", "x.png", "x.jpg"], "--raw x.png: end the name in .npz"),
        (["occlude", "-o", "x.png", "a.jpg", "b.jpg"], "2 inputs need a folder"),
        (["occlude", "-o", "-", "--json", "a.jpg"], "not both"),
        (["occlude", "-o", "-", "--raw", "-", "a.jpg"], "would both be written to -"),
        (["occlude", ""], "empty"),
        (["occlude", "-o", "", "a.jpg"], "end the name"),
        (["occlude", "--class-names", "no.txt", "a.jpg"], "no.txt"),
        (["show", "x.png", "--bo\ngus\x1b[31m"], r"\x1b[31m"),
    ],
)
def test_a_usage_error_is_one_line(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.invoke(words) == Status.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("cnnviz: ")
    assert err.count("\n") == 1
    assert told in err
    assert "\x1b" not in err


# --- statuses


def test_a_missing_and_a_broken_file_fail_alone_and_the_rest_is_done(run: Run, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(photo.read_bytes()[:5000])
    done = run("occlude", "no.jpg", "bad.jpg", "cat.jpg", *FEW, "-o", "out/")
    assert done.status == 1
    assert [line.split(": ")[1] for line in done.errors] == ["no.jpg", "bad.jpg", "cat.jpg -> out/cat-occlude.png"]
    assert os.listdir(tmp_path / "out") == ["cat-occlude.png"]
    assert done.stdout == b""


def test_weights_not_to_be_had(run: Run, photo: Path) -> None:
    done = run("occlude", "cat.jpg", "-m", "resnet50", "--offline", "-q", env={"TORCH_HOME": "nowhere"})
    assert (done.status, done.stdout) == (3, b"")
    assert len(done.errors) == 2
    assert "resnet50" in done.errors[0]
    assert "nowhere" in done.errors[1]
    assert run("occlude", "cat.jpg", "--weights", "no.pth").status == 3


def test_a_bug_is_one_line_with_its_file_and_debug_shows_where(photo: Path, tmp_path: Path) -> None:
    code = """
        import sys
        from cnnviz.io import photo
        from cnnviz.cli import main
        def decode(*_, **__):
            raise RuntimeError("first line\\nsecond line")
        photo.decode_photo = decode
        sys.argv[1:1] = ["classify", "cat.jpg"]
        main()
        """
    plain, debug = child(code, tmp_path), child(code, tmp_path, "--debug")
    assert (plain.returncode, debug.returncode) == (1, 1)
    assert plain.stderr == "cnnviz: cat.jpg: internal error: RuntimeError: first line (--debug shows where)\n"
    assert "Traceback" in debug.stderr
    assert "second line" in debug.stderr
    assert debug.stderr.endswith(plain.stderr)


def test_debug_goes_before_any_command(run: Run) -> None:
    assert "Traceback" not in run("show", "no.png").stderr.decode()
    assert "Traceback" in run("--debug", "show", "no.png").stderr.decode()


@pytest.mark.parametrize(("number", "status", "told"), [(signal.SIGINT, 130, 1), (signal.SIGTERM, 143, 0)])
def test_a_signal_during_work_ends_it_quietly(
    number: signal.Signals, status: int, told: int, photo: Path, tmp_path: Path
) -> None:
    Image.open(photo).resize((32, 32)).save(tmp_path / "a.png")
    words = ["occlude", "a.png", "-", "--fit", "whole", "--window", "32", "--stride", "2", "-o", "out/"]
    process = subprocess.Popen(
        [COMMAND, *words], cwd=tmp_path, env=environment(), text=True, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # shells let background jobs ignore it
    )  # fmt: skip
    assert process.stderr
    assert process.stderr.readline() == "cnnviz: a.png -> out/a-occlude.png\n"
    process.send_signal(number)  # it waits for the second photo, which never comes
    with process:  # closes its pipes
        assert process.wait(timeout=60) == status
        assert process.stderr.read() == "cnnviz: interrupted\n" * told
    assert os.listdir(tmp_path / "out") == ["a-occlude.png"]


def test_a_signal_while_a_file_is_written_leaves_the_old_file(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "old.png").write_bytes(b"old")
    done = child(
        """
        import os, signal, sys
        from cnnviz.cli import main
        os.fsync = lambda _: os.kill(os.getpid(), signal.SIGTERM)
        sys.argv[1:] = "occlude cat.jpg --window 112 --stride 112 -o old.png --overwrite".split()
        main()
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (143, "")
    assert (tmp_path / "old.png").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["cat.jpg", "old.png"]


# --- streams


@pytest.mark.slow
def test_a_pipe_gives_the_pixels_of_the_file(run: Run, photo: Path, tmp_path: Path) -> None:
    piped = run("occlude", "-", "-o", "-", *FEW, stdin=photo.read_bytes())
    assert (piped.status, piped.stderr) == (0, b"")
    script = '"$@" -o /dev/stdout > named.png && echo more >> named.png'
    done = run("occlude", "cat.jpg", *FEW, script=script)
    assert (done.status, done.stdout, done.stderr) == (0, b"", b"")
    named = (tmp_path / "named.png").read_bytes()
    assert named.endswith(b"more\n")
    assert np.array_equal(pixels(piped.stdout), pixels(named))
    one, other = recipe(piped.stdout), recipe(named)
    assert (one["input"].pop("name"), other["input"].pop("name")) == ("-", "cat.jpg")
    assert one == other


def test_a_reader_that_goes_ends_it_quietly(run: Run, photo: Path) -> None:
    script = '"$@" | head -c 100; exit ${PIPESTATUS[0]}'
    picture = run("occlude", "cat.jpg", *FEW, "-o", "-", script=script)
    assert (picture.status, len(picture.stdout), picture.stderr) == (141, 100, b"")
    for words in (["classes", "--json"], ["completion", "zsh"], ["--help"]):
        gone = run(*words, script='"$@" | :; exit ${PIPESTATUS[0]}')
        assert (gone.status, gone.stderr) == (141, b""), words


def test_a_full_or_closed_standard_output_is_one_line(run: Run, photo: Path) -> None:
    for words, redirect, told in (
        (["--help"], "> /dev/full", "no space left on device"),
        (["--help"], ">&-", "bad file descriptor"),
        (["classes"], "> /dev/full", "no space left on device"),
        (["classify", "cat.jpg", "--json"], "> /dev/full", "no space left on device"),
        (["occlude", "cat.jpg", *FEW, "-o", "-"], "> /dev/full", "no space left on device"),
    ):
        done = run(*words, script=f'"$@" {redirect}')
        start = "cnnviz: cat.jpg: " if "-o" in words else "cnnviz: "
        assert (done.status, done.stderr.decode()) == (1, f"{start}standard output: {told}\n"), words


def test_closed_streams_never_end_up_in_the_picture(run: Run, photo: Path, tmp_path: Path) -> None:
    done = run("occlude", "cat.jpg", *FEW, "-o", "a.png", script='"$@" <&- >&- 2>&-')
    assert done.status == 0
    assert recipe((tmp_path / "a.png").read_bytes())["command"] == "occlude"
    closed = run("classify", "-", "-q", script='"$@" <&-')
    assert (closed.status, closed.stdout, closed.errors) == (1, b"", ["cnnviz: -: bad file descriptor"])
    silent = run("classify", "no.jpg", script='"$@" 2>&-')
    assert (silent.status, silent.stdout) == (1, b"")  # what was for standard error does not go elsewhere
    assert run("classify", "no.jpg", script='"$@" 2>/dev/full').status == 1


def test_a_terminal_gets_no_picture(photo: Path, tmp_path: Path) -> None:
    status, said = on_terminal(tmp_path, "occlude", "cat.jpg", "-o", "-")
    assert status == 2
    assert b"not written to a terminal" in said


def on_terminal(cwd: Path, *words: str, **env: str) -> tuple[int, bytes]:
    """Run the command with standard output and error on a terminal; return its status and what it showed."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, *words], cwd=cwd, env=environment(**{"TERM": "xterm-256color", **env}), stdin=subprocess.DEVNULL,
        stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    shown = b""
    with contextlib.suppress(OSError):  # a terminal whose last writer has gone answers with an error
        while chunk := os.read(master, 1 << 16):
            shown += chunk
    os.close(master)
    return process.wait(timeout=60), shown


@pytest.mark.slow
def test_progress_shows_on_a_terminal_unless_no_color(photo: Path, tmp_path: Path) -> None:
    words = ("occlude", "cat.jpg", *FEW, "-o", "a.png")
    status, lively = on_terminal(tmp_path, *words)
    assert status == 0
    assert b"occluding" in lively
    assert b"positions" in lively
    assert b"fetching" not in lively  # the weights are here
    assert lively.startswith(b"reading cat.jpg\r\x1b[K")
    assert b"\x1b[Kloading efficientnet_lite0\r\x1b[K" in lively
    assert lively.endswith(b"cnnviz: cat.jpg -> a.png\r\n")
    status, plain = on_terminal(tmp_path, *words, NO_COLOR="1")
    assert (status, plain) == (0, b"cnnviz: cat.jpg -> a.png\r\n")


@pytest.mark.slow
@pytest.mark.parametrize(("word", "env"), [("-q", {}), ("--bare", {"TERM": "dumb"})])
def test_no_progress_when_quiet_or_dumb(word: str, env: dict[str, str], photo: Path, tmp_path: Path) -> None:
    status, said = on_terminal(tmp_path, "occlude", "cat.jpg", *FEW, "-o", "a.png", word, **env)
    assert (status, said) == (0, b"" if word == "-q" else b"cnnviz: cat.jpg -> a.png\r\n")


# --- full disks, little memory


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 64 KiB of its own; only root can make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no right to mount: {mounted.stderr.decode().strip()}; the test of a file size limit stands in")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def limit_file_size() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))


def check_full(run: Run, folder: Path, told: str, before: Callable[[], None] | None = None) -> None:
    (folder / "old.png").write_bytes(b"old")
    target = str(folder / "old.png")
    done = run("occlude", "cat.jpg", *FEW, "-o", target, "--overwrite", preexec_fn=before)
    assert (done.status, done.errors) == (1, [f"cnnviz: cat.jpg: {target}: {told}"])
    assert (folder / "old.png").read_bytes() == b"old"
    assert os.listdir(folder) == ["old.png"]


def test_a_full_disk_leaves_the_old_file(run: Run, photo: Path, tiny_disk: Path) -> None:
    check_full(run, tiny_disk, "no space left on device")


def test_a_file_that_may_not_grow_leaves_the_old_file(run: Run, photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "limited"
    folder.mkdir()
    check_full(run, folder, "file too large", limit_file_size)


@pytest.mark.slow
def test_memory_that_runs_short_halves_the_batch_and_the_job_succeeds(photo: Path, tmp_path: Path) -> None:
    code = """
        import resource, sys
        from pathlib import Path
        import torch
        import cnnviz.attribution.occlusion as method
        from cnnviz.attribution import occlusion_engines as covering
        from cnnviz.cli import invoke
        real, hard = method.occlusion, resource.getrlimit(resource.RLIMIT_AS)[1]

        def tight(network, inputs, **options):
            network.folded(inputs)  # what is allocated once, is
            held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (held + (int(sys.argv[1]) << 20), hard))
            try:
                result = real(network, inputs, **options)
            finally:
                resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
            print(result.batch, covering.batch_size(inputs, covering.CPU_PIXELS))
            return result

        method.occlusion = tight
        covering.CPU_PIXELS = 49 * 224 * 224  # all at once would take about a gigabyte, one at a time far less
        sys.exit(invoke("occlude cat.jpg --window 28 --stride 28 --engine plain -o a.png".split()))
        """
    done = child(code, tmp_path, "400")  # MiB
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("memory ran short") == 1
    batch, usual = map(int, done.stdout.split())
    assert batch < usual


# --- names


def test_names_of_any_kind_stay_on_one_line(run: Run, photo: Path, tmp_path: Path) -> None:
    names = [
        b"new\nline.jpg",
        b"esc\x1b[31mred.jpg",
        b"\xff\xfe.jpg",
        b"[bold]bold[bold].jpg",
        "naïve 猫.jpg".encode(),
    ]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(photo.read_bytes())
    done = run("occlude", *names, b"no\r\x9b.jpg", *FEW, "-o", "out/")
    assert done.status == 1
    assert [line.split(" -> ")[0] for line in done.errors[:5]] == [
        r"cnnviz: new\nline.jpg", r"cnnviz: esc\x1b[31mred.jpg", r"cnnviz: \xff\xfe.jpg",
        "cnnviz: [bold]bold[bold].jpg", "cnnviz: naïve 猫.jpg",
    ]  # fmt: skip
    assert done.errors[5:] == [r"cnnviz: no\r\x9b.jpg: no such file or directory"]
    made = sorted(os.listdir(os.fsencode(tmp_path / "out")))
    assert made == sorted(name.removesuffix(b".jpg") + b"-occlude.png" for name in names)
    assert recipe((tmp_path / "out" / "new\nline-occlude.png").read_bytes())["input"]["name"] == "new\nline.jpg"
