"""Named arrays from .npz files; what is no array of numbers is refused. Damaged files: attribution/test_map_files."""

import numpy as np
import pytest

from cnnviz.errors import MethodError
from cnnviz.io.arrays import MAX_BYTES, read_arrays


def test_those_of_the_named_arrays_that_are_there(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, values=np.arange(6).reshape(2, 3), flags=np.array([True]), names=np.array(["a", "bc"]))
    arrays = read_arrays(path, ("values", "flags", "missing"))
    assert list(arrays) == ["values", "flags"]
    np.testing.assert_array_equal(arrays["values"], [[0, 1, 2], [3, 4, 5]])
    assert list(read_arrays(path, ("names",), "U")["names"]) == ["a", "bc"]


def test_other_types_and_other_files_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, names=np.array(["a"]), complex=np.array([1j]))
    for key in ("names", "complex"):
        with pytest.raises(MethodError, match=r"a\.npz: holds values of type .*, not numbers"):
            read_arrays(path, (key,))
    path.write_bytes(b"no zip")
    with pytest.raises(MethodError, match="is not a file of NumPy arrays"):
        read_arrays(path, ("names",))
    with pytest.raises(MethodError, match="no such file"):
        read_arrays(tmp_path / "b.npz", ("names",))


def test_a_large_array_is_refused_by_its_header(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", values=np.zeros(1 << 10))
    monkeypatch.setattr("cnnviz.io.arrays.MAX_BYTES", 1 << 10)
    with pytest.raises(MethodError, match="is larger than 0 MiB"):
        read_arrays(tmp_path / "a.npz", ("values",))
    assert MAX_BYTES == 512 << 20
