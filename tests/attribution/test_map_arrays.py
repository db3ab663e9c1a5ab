"""Maps from files: what is taken, and what is refused before it can do harm."""

import contextlib
import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cnnviz.attribution.map_arrays import read_maps
from cnnviz.errors import MethodError
from cnnviz.io import write
from cnnviz.models.preprocess import Geometry

GEOMETRY = Geometry((40, 60), (20, 30), (2, 7), (16, 16))
INPUT, PHOTO = np.random.default_rng(0).random((2, 16, 16)), np.random.default_rng(1).random((2, 40, 60))


def saved(path: Path, array: np.ndarray) -> Path:
    np.save(path, array, allow_pickle=True)
    return path


def header(shape: str, descr: str = "'<f4'") -> bytes:
    """A .npy file that says what it holds and holds nothing."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text + b"\n"


def archive(**members: bytes | np.ndarray) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            if isinstance(content, np.ndarray):
                content = (np.save(buffer := io.BytesIO(), content), buffer.getvalue())[1]
            file.writestr(f"{name}.npy", content)
    return data.getvalue()


@pytest.mark.parametrize("kind", ["float64", "float16", ">f4", "uint8", "int64", "bool"])
def test_numbers_of_every_type_become_floats(tmp_path, kind):
    values = (INPUT[0] * 200).astype(kind)
    found = read_maps(saved(tmp_path / "a.npy", np.asfortranarray(values)))
    assert found.arrays["maps"].dtype == np.float32
    assert found.targets is found.recipe is None
    np.testing.assert_array_equal(found.on_input(GEOMETRY), values[None].astype(np.float32))


def test_a_map_of_the_photos_size_is_carried_over(tmp_path):
    found = read_maps(saved(tmp_path / "a.npy", PHOTO))
    np.testing.assert_array_equal(found.on_input(GEOMETRY), GEOMETRY.to_input(PHOTO))
    with pytest.raises(MethodError, match=r"a map of 60x40 .*input \(16x16\) nor on the photo \(61x40\)"):
        found.on_input(Geometry((40, 61), (20, 30), (2, 7), (16, 16)))


def test_an_archive_of_ours_knows_its_classes_and_its_view(tmp_path):
    path = tmp_path / "a.npz"
    recipe = {"recipe": 1, "command": "occlude"}
    arrays = {"maps": INPUT, "photo_maps": PHOTO, "targets": np.array([3, 1]), "logits": INPUT}
    write.write_arrays(str(path), arrays, recipe)
    found = read_maps(path)
    assert (found.targets, found.recipe) == ((3, 1), recipe)
    np.testing.assert_array_equal(found.on_input(GEOMETRY, same_view=True), INPUT.astype(np.float32))
    np.testing.assert_array_equal(found.on_input(GEOMETRY), GEOMETRY.to_input(PHOTO))


def test_nothing_is_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "boom"),)

    saved(tmp_path / "a.npy", np.array([Bomb()], dtype=object))
    (tmp_path / "b.npz").write_bytes(archive(maps=(tmp_path / "a.npy").read_bytes()))
    for name in ("a.npy", "b.npz"):
        with pytest.raises(MethodError, match="holds values of type object, not numbers"):
            read_maps(tmp_path / name)
    assert not (tmp_path / "boom").exists()


NAN = np.full((3, 3), np.nan)
BAD = [
    ("a.npy", b"", "truncated"),
    ("a.npy", b"hello", "truncated"),
    ("a.npy", header("(4, 4)"), "truncated"),
    ("a.npy", header("(1000000, 1000000)"), "larger than 512 MiB"),
    ("a.npy", header("(99999999999999999999, 9999)"), "larger than 512 MiB"),
    ("a.npy", header("(-4, 4)"), "truncated"),
    ("a.npy", header("(4, 4)", "'|O'"), "type object"),
    ("a.npy", header("(4, 4)", "[('a', '<f4')]"), "not numbers"),
    ("a.npy", header("(4, 4)", "'<c8'"), "type complex64"),
    ("a.npy", header("(4, 4)", "'<U9'"), "type <U9"),
    ("a.npy", header("(" * 5000 + ")" * 5000), "truncated"),
    ("a.npy", header("__import__('os').abort()"), "truncated"),
    ("a.npy", header("(0, 4)"), "no map"),
    ("a.npy", header("()") + b"1234", "no map"),
    ("a.npz", b"PK\x03\x04 hello", "truncated"),
    ("a.npz", archive(), "no array named maps"),
    ("a.npz", archive(maps=header("(65536, 65536)")), "larger than 512 MiB"),
    ("a.npz", archive(maps=header("(4, 4)")), "truncated"),
    ("a.npz", archive(maps=INPUT, targets=np.array([1])), "indices of 2 classes"),
    ("a.npz", archive(maps=INPUT, targets=np.array([1.0, 2.0])), "indices of 2 classes"),
    ("a.npz", archive(maps=INPUT, targets=np.array([-1, 2])), "indices of 2 classes"),
    ("a.npz", archive(maps=INPUT, photo_maps=PHOTO[:1]), "different numbers of maps"),
    ("a.npz", archive(maps=NAN), "without a single number"),
    ("a.npz", archive(maps=np.full((3, 3), np.inf)), "infinite"),
    ("a.npz", archive(maps=np.full((3, 3), 1e300)), "infinite"),
]


@pytest.mark.parametrize(("name", "data", "told"), BAD, ids=range(len(BAD)))
def test_what_is_no_map_is_refused_in_one_line(tmp_path, name, data, told):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(MethodError) as failure:
        read_maps(tmp_path / name)
    text = str(failure.value)
    assert text.startswith(f"{tmp_path / name}: ")
    assert told in text
    assert "\n" not in text


def test_every_cut_and_many_flipped_bytes_of_an_archive_are_maps_or_refused(tmp_path):
    whole, path = archive(maps=INPUT.astype(np.float32), targets=np.array([1, 2])), tmp_path / "a.npz"
    flips = np.random.default_rng(0).integers(0, len(whole), 150)
    hurt = [whole[:length] for length in range(0, len(whole), 97)]
    hurt += [whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :] for at in flips]
    for data in hurt:
        path.write_bytes(data)
        with contextlib.suppress(MethodError):
            read_maps(path)


def test_a_fifo_a_folder_and_nothing_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.npy")
    for name, told in (("pipe.npy", "is not a file"), (".", "is not a file"), ("no.npy", "no such file")):
        with pytest.raises(MethodError, match=told):
            read_maps(tmp_path / name)


def test_maps_may_have_names(tmp_path):
    path, names = tmp_path / "a.npz", np.array(["guided", "x" * 100])
    arrays = {"maps": INPUT, "targets": np.array([3, 1])}
    np.savez(path, methods=names, **arrays)
    assert read_maps(path).methods == ("guided", "x" * 60)
    for wrong in (names[:1], np.array([1, 2]), np.array([{}, {}], object)):
        np.savez(path, methods=wrong, **arrays)
        with pytest.raises(MethodError, match=r"a\.npz: (its methods are not|holds values of type)"):
            read_maps(path)
