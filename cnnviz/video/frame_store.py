"""Lossless store of finished frames, one growing file, from which an interrupted clip is resumed.

A lossy encoder cannot be stopped and continued with the same result, so frames are encoded once all are finished.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from cnnviz.errors import MethodError, OutputError
from cnnviz.text import printable

Picture = NDArray[np.uint8]
MAGIC = b"cnnviz frames 1\n"
HEADER = struct.Struct("<III")  # height, width, bytes that follow


class FrameStore:
    """A file of frames, uint8 RGB (H, W, 3), of which the first ``done`` are kept and the rest is dropped.

    Raises OutputError if the file is not of this kind or cannot be written, MethodError if it holds fewer frames.
    """

    def __init__(self, path: Path, done: int) -> None:
        self.path = path
        try:
            self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        except OSError as error:
            raise OutputError(f"{printable(str(path))}: {(error.strerror or str(error)).lower()}") from error
        try:
            start = self._file.read(len(MAGIC))
            if start not in (b"", MAGIC):
                raise OutputError(f"{printable(str(path))}: exists and was not written by cnnviz; remove it")
            if not start:
                self._file.write(MAGIC)
            self.done = sum(1 for _ in _read_records(self._file, done))
            if self.done < done:
                raise MethodError(f"{printable(str(path))}: is incomplete; remove it to start anew")
            self._file.truncate(self._file.tell())
        except BaseException:
            self._file.close()
            raise

    def add(self, image: Picture) -> None:
        """Append a frame; it is on disk when this returns. Raises OutputError."""
        left = np.pad(image[:, :-1], ((0, 0), (1, 0), (0, 0)))
        packed = zlib.compress((image - left).tobytes(), 1)  # differences, modulo 256, compress better
        try:
            self._file.write(HEADER.pack(*image.shape[:2], len(packed)) + packed)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OutputError(f"{printable(str(self.path))}: {(error.strerror or str(error)).lower()}") from error
        self.done += 1

    def frames(self) -> Iterator[Picture]:
        """Yield all frames; none may be added meanwhile."""
        self._file.seek(len(MAGIC))
        for height, width, packed in _read_records(self._file, self.done):
            differences = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, width, 3)
            yield np.cumsum(differences, axis=1, dtype=np.uint8)

    def close(self) -> None:
        """Close the file and keep it."""
        self._file.close()

    def remove(self) -> None:
        """Delete the file."""
        self.close()
        self.path.unlink(missing_ok=True)


def _read_records(file: BinaryIO, count: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield up to ``count`` complete records from the current position: height, width, compressed bytes."""
    for _ in range(count):
        header = file.read(HEADER.size)
        if len(header) < HEADER.size:
            return
        height, width, length = HEADER.unpack(header)
        packed = file.read(length)
        if len(packed) < length:
            return
        yield height, width, packed
