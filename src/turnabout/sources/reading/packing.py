"""Files of logs as streams of bytes: plain, gzip or zstd. All that can be unpacked is given before an error is."""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

#: What reading a damaged file can raise.
UNREADABLE = (OSError, EOFError, zlib.error, zstandard.ZstdError)

#: Bytes of a zstd file unpacked at once.
PACKED_CHUNK = 16 * 2**10


#: Bytes that can be read by lines and looked at ahead.
Stream = io.BufferedReader | gzip.GzipFile


def opened(path: Path) -> Stream:
    """The unpacked bytes of a file. Reading may raise one of `UNREADABLE`, once all before the damage was read."""
    if path.suffix.lower() == ".gz":
        return gzip.GzipFile(path)
    raw = _Zstd(path) if path.suffix.lower() == ".zst" else io.FileIO(path)
    return io.BufferedReader(raw, 2**20)


class _Zstd(io.RawIOBase):
    """A zstd file unpacked. Unlike the library's own stream it raises `EOFError` where the file ends too early."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._unpacked = _unpacked(self._file)
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: memoryview) -> int:  # type: ignore[override]
        while not self._left:
            chunk = next(self._unpacked, None)
            if chunk is None:
                return 0
            self._left = memoryview(chunk)
        n = min(len(target), len(self._left))
        target[:n], self._left = self._left[:n], self._left[n:]
        return n

    def close(self) -> None:
        self._file.close()
        super().close()


def _unpacked(file: BinaryIO) -> Iterator[bytes]:
    """Chunks of all frames of a zstd file, one after the other."""
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
