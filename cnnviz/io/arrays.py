"""Arrays of numbers from .npy and .npz files, which are not trusted: sizes are checked before anything is allocated."""

import lzma
import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from numpy.lib import format as npy
from numpy.typing import NDArray

from cnnviz.errors import MethodError
from cnnviz.text import printable

MAX_BYTES = 1 << 29
UNREADABLE = (OSError, ValueError, TypeError, EOFError, KeyError, NotImplementedError, RuntimeError, SyntaxError,
              zipfile.BadZipFile, zlib.error, lzma.LZMAError)  # fmt: skip
Array = NDArray[Any]
Arrays = dict[str, Array]


@contextmanager
def array_errors(name: str) -> Iterator[None]:
    """Turn the errors of reading a damaged file into MethodError."""
    try:
        yield
    except UNREADABLE as error:
        reason = getattr(error, "strerror", None)
        text = reason.lower() if reason else "is not a file of NumPy arrays, or is truncated"
        raise MethodError(f"{name}: {text}") from error


def read_arrays(path: Path, keys: Sequence[str], kinds: str = "fiub") -> Arrays:
    """Return those of the named arrays that a .npz file has; ``kinds`` as in ``read_array``. Raises MethodError."""
    name, arrays = printable(str(path)), {}
    with array_errors(name), zipfile.ZipFile(path) as archive:
        for key in keys:
            if f"{key}.npy" in archive.namelist():
                with archive.open(f"{key}.npy") as member:
                    arrays[key] = read_array(member, name, kinds)
    return arrays


def read_array(file: IO[bytes], name: str, kinds: str = "fiub") -> Array:
    """Return the array in an open .npy file called ``name``, of a type in ``kinds`` (NumPy's letters).

    Raises MethodError for another type or more than MAX_BYTES, before memory is allocated, and the errors UNREADABLE.
    """
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.kind not in kinds:
        wanted = "names" if kinds == "U" else "numbers"
        raise MethodError(f"{name}: holds values of type {printable(str(dtype))}, not {wanted}")
    if min(shape, default=0) < 0:
        raise ValueError("a shape is not negative")
    if dtype.itemsize * math.prod(shape) > MAX_BYTES:
        raise MethodError(f"{name}: is larger than {MAX_BYTES >> 20} MiB")
    file.seek(0)
    array: Array = npy.read_array(file, allow_pickle=False)
    return array
