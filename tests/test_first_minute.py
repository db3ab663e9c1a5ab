"""The first minute: what scripts/setup.sh says on a machine that lacks something.

Each test runs the real script, in a copy of the repository that holds nothing big, on a PATH that
holds only what the test puts there.
"""

import os
import runpy
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "setup.sh"
SH = shutil.which("sh") or "/bin/sh"
TOOLS = ["grep", "tail", "mv", "flock"]

# Builds the copy's package with nothing but Python, so that no test needs a network. The package
# asks for another one, "thing", which is where the index comes in.
BACKEND = """
import zipfile

def wheel(folder, name, requires, files):
    info = f"{name}-1.dist-info"
    needs = "".join(f"Requires-Dist: {other}\\n" for other in requires)
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1\\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: hand\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = "".join(f"{path},,\\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(f"{folder}/{name}-1-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", record)
    return f"{name}-1-py3-none-any.whl"

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return wheel(wheel_directory, "tiny", ["thing"], {})
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "tiny"
version = "1"
"""


class Bare:
    """A bare machine: a copy of the repository, and a PATH on which little is found."""

    def __init__(self, folder: Path) -> None:
        self.clone = folder / "clone"
        self.venv = self.clone / ".venv"
        self.programs = folder / "bin"
        self.wheels = folder / "wheels"
        for made in (self.clone / "scripts", self.programs, self.wheels):
            made.mkdir(parents=True)
        shutil.copy(SCRIPT, self.clone / "scripts")
        (self.clone / "pyproject.toml").write_text(PYPROJECT)
        (self.clone / "backend.py").write_text(BACKEND)
        (self.clone / "constraints.txt").write_text("thing==1\n")
        for tool in TOOLS:
            if found := shutil.which(tool):
                (self.programs / tool).symlink_to(found)
        self.env = {
            "PATH": str(self.programs),
            "HOME": str(folder),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_CACHE_DIR": "1",
            # Nothing listens here, so the index is as far away as with the cable out.
            "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
            "PIP_RETRIES": "1",
            "PIP_TIMEOUT": "1",
        }

    def python(self, name: str, changed: dict[str, str] | None = None) -> None:
        """Put a Python on the PATH; ``changed`` are modules of it that read otherwise than usual."""
        modules = self.programs.parent / f"{name}-modules"
        modules.mkdir()
        for module, text in (changed or {}).items():
            (modules / f"{module}.py").write_text(text)
        program = self.programs / name
        program.write_text(f'#!{SH}\nPYTHONPATH="{modules}" exec "{sys.executable}" "$@"\n')
        program.chmod(0o755)

    def old_python(self, name: str) -> None:
        self.python(name, {"sitecustomize": "import sys\nsys.version_info = (3, 9, 2, 'final', 0)\n"})

    def python_without_ensurepip(self, name: str) -> None:
        """What Debian has until python3-venv is installed."""
        self.python(name, {"ensurepip": "raise ModuleNotFoundError(\"No module named 'ensurepip'\")\n"})

    def go_online(self, files: dict[str, str] | None = None) -> None:
        """From here on pip finds "thing", holding ``files``."""
        runpy.run_path(str(self.clone / "backend.py"))["wheel"](self.wheels, "thing", [], files or {})
        self.env |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels)}

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [SH, "scripts/setup.sh", *arguments],
            cwd=self.clone,
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def setup(self, *arguments: str, **env: str) -> tuple[int, str, str]:
        process = self.start(*arguments, **env)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def complaint(self, **env: str) -> str:
        """Run the set-up, which must fail with one line, and hand back that line."""
        status, _, err = self.setup(**env)
        assert status == 1, err
        assert err.startswith("setup: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1, err
        assert not list(self.venv.glob("ready-*"))
        return err


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    return Bare(tmp_path)


def test_no_python_names_the_packages(bare: Bare) -> None:
    assert "apt install python3 python3-venv" in bare.complaint()
    assert not bare.venv.exists()


def test_old_python_is_named_with_its_version(bare: Bare) -> None:
    bare.old_python("python3")
    line = bare.complaint()
    assert "3.11 or newer" in line
    assert "python3 is 3.9.2" in line
    assert "PYTHON=" in line
    assert not bare.venv.exists()


def test_missing_venv_names_the_package(bare: Bare) -> None:
    bare.python_without_ensurepip("python3")
    assert "apt install python3-venv;" in bare.complaint()
    assert not bare.venv.exists()


def test_a_newer_python_beside_an_old_one_is_found(bare: Bare) -> None:
    bare.old_python("python3")
    bare.python_without_ensurepip("python3.12")
    assert "apt install python3.12-venv;" in bare.complaint()


def test_python_variable_chooses(bare: Bare) -> None:
    bare.python("python3")
    bare.old_python("mine")
    assert "mine is 3.9.2" in bare.complaint(PYTHON="mine")
    assert "PYTHON=/no/such/python does not run" in bare.complaint(PYTHON="/no/such/python")
    assert not bare.venv.exists()


def test_unknown_kind(bare: Bare) -> None:
    status, out, err = bare.setup("everything")
    assert (status, out) == (1, "")
    assert "[demo|test]" in err


@pytest.mark.slow
def test_no_network_then_network(bare: Bare) -> None:
    bare.python("python3")
    # A .venv whose Python went away with a system upgrade; its stamp must not count.
    (bare.venv / "bin").mkdir(parents=True)
    (bare.venv / "bin" / "python").symlink_to("/no/such/python")
    (bare.venv / "ready-demo").write_text(f"{bare.clone.resolve()}\n")

    status, out, err = bare.setup()
    assert (status, out.count("\n"), err.count("\n")) == (1, 1, 1), err
    assert "Setting up .venv" in out
    assert "6 GB" in out
    assert "no network?" in err
    assert ".venv/setup.log" in err
    assert "connection" in (bare.venv / "setup.log").read_text().lower()
    assert "no network?" in bare.complaint()

    bare.go_online()
    status, out, err = bare.setup()
    assert (status, err) == (0, "")
    assert "Bringing .venv up to date" in out
    assert ".venv/bin/cnnviz" in out

    assert bare.setup(MAKELEVEL="1") == (0, "", "")
    began = time.perf_counter()
    bare.setup(MAKELEVEL="1")
    assert time.perf_counter() - began < 0.5

    (bare.venv / "ready-demo").rename(bare.venv / "ready-test")
    assert bare.setup("demo", MAKELEVEL="1") == (0, "", "")  # test holds all that demo needs

    later = time.time() + 5
    os.utime(bare.clone / "constraints.txt", (later, later))
    assert "Bringing .venv up to date" in bare.setup(MAKELEVEL="1")[1]


def stop_while_unpacking(bare: Bare) -> None:
    (bare.venv / "setup.log").write_text("Collecting thing\nInstalling collected packages: thing\n")


def move_from_elsewhere(bare: Bare) -> None:
    (bare.venv / "ready-demo").write_text("/somewhere/else\n")


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [stop_while_unpacking, move_from_elsewhere])
def test_a_spoilt_venv_is_made_anew(bare: Bare, spoil: Callable[[Bare], None]) -> None:
    bare.python("python3")
    bare.go_online()
    venv.create(bare.venv, with_pip=False)
    packages = next(bare.venv.glob("lib/python*/site-packages"))
    (packages / "pip.py").touch()
    (packages / "half_a_package.py").touch()
    spoil(bare)

    status, out, err = bare.setup()
    assert (status, err) == (0, "")
    assert "Setting up .venv" in out
    assert not (packages / "half_a_package.py").exists()
    assert (packages / "thing-1.dist-info").is_dir()


@pytest.mark.slow
def test_missing_system_library_names_the_packages(bare: Bare) -> None:
    bare.python("python3")
    missing = "libGL.so.1: cannot open shared object file: No such file or directory"
    bare.go_online({"cv2.py": f'raise ImportError("{missing}")\n'})
    status, _, err = bare.setup()
    assert status == 0  # only the other colour maps miss it
    assert len(err.splitlines()) == 1
    assert "libGL.so.1" in err
    assert "apt install libgl1 libglib2.0-0" in err


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("flock") is None, reason="without flock two set-ups do not wait for each other")
def test_two_at_once_take_turns(bare: Bare) -> None:
    bare.python("python3")
    bare.go_online()
    both = [bare.start(MAKELEVEL="1") for _ in range(2)]
    outputs = sorted(process.communicate(timeout=60) for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert [err for _, err in outputs] == ["", ""]
    assert "Another set-up is at work" in outputs[0][0]
    assert "Setting up .venv" in outputs[1][0]
