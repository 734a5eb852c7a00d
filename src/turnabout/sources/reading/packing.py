"""Files of logs as streams of bytes: plain, gzip or zstd.

From a damaged file all bytes before the damage are read before the error is raised.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

#: Errors that reading a damaged file can raise.
UNREADABLE = (OSError, EOFError, zlib.error, zstandard.ZstdError)

#: Bytes of a zstd file that are unpacked at once.
PACKED_CHUNK = 16 * 2**10


#: A stream of bytes with `readline` and `peek`.
Stream = io.BufferedReader | gzip.GzipFile


def open_unpacked(path: Path) -> Stream:
    """Open the unpacked bytes of a file.

    Reading may raise one of `UNREADABLE`, after all bytes before the damage.
    """
    if path.suffix.lower() == ".gz":
        return gzip.GzipFile(path)
    raw = _Zstd(path) if path.suffix.lower() == ".zst" else io.FileIO(path)
    return io.BufferedReader(raw, 2**20)


class _Zstd(io.RawIOBase):
    """The unpacked bytes of a zstd file.

    Unlike the library's own stream it raises `EOFError` where the file ends too early.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._chunks = _unpack_frames(self._file)
        self._buffer = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, target: memoryview) -> int:  # type: ignore[override]
        """Copy the next bytes into `target` and return their number; 0 at the end."""
        while not self._buffer:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._buffer = memoryview(chunk)
        n = min(len(target), len(self._buffer))
        target[:n], self._buffer = self._buffer[:n], self._buffer[n:]
        return n

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def _unpack_frames(file: BinaryIO) -> Iterator[bytes]:
    """Yield the unpacked chunks of all frames of a zstd file, in order."""
    frame = None
    while packed := file.read(PACKED_CHUNK):
        while packed:
            frame = frame or zstandard.ZstdDecompressor().decompressobj()
            yield frame.decompress(packed)
            packed = frame.unused_data
            if frame.eof:
                frame = None
    if frame is not None:
        raise EOFError("the packed file ends too early")
