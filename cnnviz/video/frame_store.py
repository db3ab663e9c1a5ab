"""Finished frames of a film kept without loss until all are there, in one file that grows: what --resume goes on from.

A lossy encoder cannot be stopped and gone on with to the same bytes. So the frames wait here, to be encoded at the end.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from cnnviz.errors import MethodError, OutputError, printable

Picture = NDArray[np.uint8]
MAGIC = b"cnnviz frames 1\n"
HEADER = struct.Struct("<III")  # rows, columns, bytes that follow


class FrameStore:
    """A file of frames, uint8 RGB (H, W, 3), of which the first ``done`` are kept and what follows them is dropped.

    Raises OutputError where the file is another's or cannot be written, MethodError where it holds fewer frames.
    """

    def __init__(self, path: Path, done: int) -> None:
        self.path = path
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise OutputError(f"{printable(str(path))}: {(error.strerror or str(error)).lower()}") from error
        self._file = os.fdopen(descriptor, "r+b")
        try:
            self._begin(done)
        except BaseException:
            self._file.close()
            raise

    def _begin(self, done: int) -> None:
        start = self._file.read(len(MAGIC))
        if start not in (b"", MAGIC):
            raise OutputError(f"{printable(str(self.path))}: exists and was not written by cnnviz; remove it")
        if not start:
            self._file.write(MAGIC)
        self.done = sum(1 for _ in _packed(self._file, done))
        if self.done < done:
            raise MethodError(f"{printable(str(self.path))}: is not whole; remove it to start anew")
        self._file.truncate(self._file.tell())

    def add(self, picture: Picture) -> None:
        """Keep one more frame; it is on disk when this returns. Raises OutputError."""
        before = np.pad(picture[:, :-1], ((0, 0), (1, 0), (0, 0)))
        packed = zlib.compress((picture - before).tobytes(), 1)  # differences, modulo 256, take less
        try:
            self._file.write(HEADER.pack(*picture.shape[:2], len(packed)) + packed)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OutputError(f"{printable(str(self.path))}: {(error.strerror or str(error)).lower()}") from error
        self.done += 1

    def pictures(self) -> Iterator[Picture]:
        """Yield the frames from the first on; none may be added meanwhile."""
        self._file.seek(len(MAGIC))
        for height, width, packed in _packed(self._file, self.done):
            steps = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, width, 3)
            yield np.cumsum(steps, axis=1, dtype=np.uint8)

    def close(self) -> None:
        """Leave the file for another time."""
        self._file.close()

    def remove(self) -> None:
        """Take the file away: its frames are in a film now."""
        self.close()
        self.path.unlink(missing_ok=True)


def _packed(file: BinaryIO, count: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield up to ``count`` whole records from here on: rows, columns, packed bytes."""
    for _ in range(count):
        header = file.read(HEADER.size)
        if len(header) < HEADER.size:
            return
        height, width, length = HEADER.unpack(header)
        packed = file.read(length)
        if len(packed) < length:
            return
        yield height, width, packed
