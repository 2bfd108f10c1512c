"""Generated data, made once: memory-mapped arrays in a folder that is either whole or visibly unfinished."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from zoo.errors import UserError
from zoo.files import human_bytes
from zoo.home import zoo_home

__all__ = ["ArrayCache", "MappedArrays", "Produce"]

Produce = Callable[[int, int], Mapping[str, NDArray[Any]]]
"""From the first and the last-plus-one sample to their arrays, each with the samples along its first dimension."""

_SPARE = 32_000_000
"""Bytes that are left free on the disk, for everybody's logs and locks."""

_PROBE = 1 << 16
"""Bytes at each end of a file that its checksum covers: reading all of it would take seconds at every start."""


class ArrayCache:
    """Arrays of ``count`` samples on disk, one ``.npy`` file a key, made once and then memory-mapped.

    The folder's name holds a hash of the settings, so that other settings never meet these arrays. While it is being
    made it is called ``….part``, and a note says how many samples are safely in it: after a kill the next call goes on
    there. It gets its name in one step, when everything is written. Of several processes that ask at the same time one
    makes it and the others wait.

    Args:
        name: What the folder is called, before the hash.
        settings: All that decides what the arrays hold, as JSON can write it.
        count: Number of samples.
        root: Where the folder lies; ``data`` in the zoo's home by default.
        title: What people are told is being made.
        remedy: What a person can do when it does not fit on the disk, as the end of a sentence.
    """

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        count: int,
        *,
        root: str | Path | None = None,
        title: str | None = None,
        remedy: str = "make fewer or smaller samples",
    ) -> None:
        self.settings = json.loads(json.dumps({**settings, "count": count}, sort_keys=True))
        self.count, self.title, self.remedy = count, title or name, remedy
        self.root = Path(root) if root is not None else zoo_home() / "data"
        digest = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:16]
        self.folder = self.root / f"{name}-{digest}"
        self._part = self.root / f"{name}-{digest}.part"
        self._lock = self.root / f".{name}-{digest}.lock"

    def ensure(self, produce: Produce, *, chunk: int = 32, threads: int = 1) -> dict[str, NDArray[Any]]:
        """Open the arrays; make them first if they are not there, and again if they are damaged.

        Args:
            produce: Makes the samples from one index up to another; must give the same for the same indices.
            chunk: Samples made at a time; a kill loses at most the chunks at work.
            threads: How many chunks are made at the same time; ``produce`` must allow it.

        Returns:
            Read-only memory-mapped arrays by key, ``count`` samples along the first dimension.

        Raises:
            UserError: The disk is full, or cannot be written to.
        """
        if self._is_whole():
            return self.open()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with self._alone():
                if not self._is_whole():  # another process may have made it while this one waited
                    self._clear_damage()
                    self._make(produce, chunk, threads)
        except OSError as problem:
            raise UserError(self._complaint(problem)) from problem
        return self.open()

    def open(self) -> dict[str, NDArray[Any]]:
        """The arrays of a finished cache, memory-mapped and read-only.

        Raises:
            UserError: It was not made yet, or is damaged.
        """
        if not self._is_whole():
            raise UserError(f"{self.title}: nothing whole lies at {self.folder}. Call prepare_data() first.")
        fields = json.loads((self.folder / "complete.json").read_text())["fields"]
        return {key: np.load(self.folder / f"{key}.npy", mmap_mode="r") for key in fields}

    def _is_whole(self) -> bool:
        try:
            marker = json.loads((self.folder / "complete.json").read_text())
            if marker["settings"] != self.settings:
                return False
            return all(_fingerprint(self.folder / f"{key}.npy") == f["ends"] for key, f in marker["fields"].items())
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def _alone(self) -> FileLock:
        lock = FileLock(self._lock)
        try:
            lock.acquire(timeout=0.2)
        except Timeout:
            _console().print(f"Another process is making {self.title}; waiting for it …")
            lock.acquire()
        lock.release()  # `with` takes it again: the lock counts, and this keeps one way out
        return lock

    def _clear_damage(self) -> None:
        if self.folder.exists():
            _console().print(f"{self.title}: the copy at {self.folder} is damaged and is made again.")
            shutil.rmtree(self.folder)

    def _make(self, produce: Produce, chunk: int, threads: int) -> None:
        fields = _describe(produce(0, 1), self.count)
        done = self._resume(fields)
        needed = sum(f["bytes"] for f in fields.values())
        there = sum(path.stat().st_size for path in self._part.glob("*.npy"))
        free = shutil.disk_usage(self.root).free - _SPARE
        if needed - there > free:
            raise UserError(
                f"Making {self.title} takes {human_bytes(needed - there)} in {self.root}, where only "
                f"{human_bytes(max(0, free))} are free. Make room there, set ZOO_HOME to a folder on a larger disk, "
                f"or {self.remedy}."
            )
        try:
            self._fill(produce, chunk, threads, done, fields)
        except OSError as problem:
            if problem.errno in (errno.ENOSPC, errno.EDQUOT):
                shutil.rmtree(self._part, ignore_errors=True)  # a full disk must not stay full because of us
            raise
        finished = {
            key: {"shape": f["shape"], "dtype": f["dtype"], "ends": _fingerprint(self._part / f"{key}.npy")}
            for key, f in fields.items()
        }
        _write_json(self._part / "complete.json", {"settings": self.settings, "fields": finished})
        (self._part / "progress.json").unlink()
        os.replace(self._part, self.folder)

    def _resume(self, fields: dict[str, dict[str, Any]]) -> int:
        """How many samples an earlier, interrupted call left safely; 0 with a clean folder if there is doubt."""
        try:
            note = json.loads((self._part / "progress.json").read_text())
            if note["fields"] == fields and all((self._part / f"{key}.npy").exists() for key in fields):
                return int(note["done"])
        except (OSError, ValueError, KeyError):
            pass
        shutil.rmtree(self._part, ignore_errors=True)
        self._part.mkdir()
        return 0

    def _fill(self, produce: Produce, chunk: int, threads: int, done: int, fields: dict[str, dict[str, Any]]) -> None:
        started, first = time.monotonic(), done
        ranges = [(start, min(start + chunk, self.count)) for start in range(done, self.count, chunk)]
        with _progress(self.title, self.count, done) as advance:
            for (_, end), arrays in zip(ranges, _in_order(produce, ranges, threads), strict=True):
                for key, f in fields.items():
                    _write_rows(self._part / f"{key}.npy", f, done, np.ascontiguousarray(arrays[key]))
                _write_json(self._part / "progress.json", {"done": end, "fields": fields})
                advance(end - done)
                done = end
        if not _console().is_terminal:
            seconds = time.monotonic() - started
            _console().print(f"Made {self.title}: {self.count - first} samples in {seconds:.0f} s, kept for next time.")

    def _complaint(self, problem: OSError) -> str:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            return (
                f"No space left in {self.root} while making {self.title}; what was begun is removed. "
                f"Make room there, set ZOO_HOME to a folder on a larger disk, or {self.remedy}."
            )
        reason = (problem.strerror or str(problem)).lower()
        return f"{self.title} cannot be kept in {self.root} ({reason}). Set ZOO_HOME to a folder you may write to."


def _in_order(
    produce: Produce, ranges: Sequence[tuple[int, int]], threads: int
) -> Iterator[Mapping[str, NDArray[Any]]]:
    """What ``produce`` makes of each range, in order, some of them made ahead in other threads."""
    if threads <= 1:
        yield from (produce(*both) for both in ranges)
        return
    pool = ThreadPoolExecutor(threads)
    try:
        ahead = deque(pool.submit(produce, *both) for both in ranges[:threads])
        for i in range(len(ranges)):
            made = ahead.popleft().result()
            if i + threads < len(ranges):
                ahead.append(pool.submit(produce, *ranges[i + threads]))
            yield made
    finally:
        pool.shutdown(cancel_futures=True)


class MappedArrays:
    """The arrays of a cache for worker processes: what travels to them are file names, not gigabytes.

    Args:
        arrays: As ``ArrayCache.ensure`` gives them.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = dict(arrays)

    def rows(self, which: Sequence[int]) -> dict[str, NDArray[Any]]:
        """Some samples, copied into memory."""
        return {key: value[list(which)] for key, value in self._arrays.items()}

    def __getstate__(self) -> dict[str, str]:
        return {key: str(getattr(value, "filename", None)) for key, value in self._arrays.items()}

    def __setstate__(self, files: dict[str, str]) -> None:
        self._arrays = {key: np.load(file, mmap_mode="r") for key, file in files.items()}


def _describe(sample: Mapping[str, NDArray[Any]], count: int) -> dict[str, dict[str, Any]]:
    fields = {}
    for key, value in sample.items():
        shape = [count, *value.shape[1:]]
        fields[key] = {"shape": shape, "dtype": value.dtype.str, "bytes": value.nbytes // len(value) * count + 128}
    return fields


def _write_rows(path: Path, field: Mapping[str, Any], start: int, rows: NDArray[Any]) -> None:
    """Put rows into their place by ordinary writing: writing through a memory map onto a full disk ends the process."""
    shape, dtype = tuple(field["shape"]), np.dtype(field["dtype"])
    if rows.shape[1:] != shape[1:] or rows.dtype != dtype:
        raise ValueError(f"{path.stem}: rows are {rows.dtype} {rows.shape[1:]}, not {dtype} {shape[1:]}")
    with path.open("r+b" if path.exists() else "w+b") as file:
        header = {"descr": field["dtype"], "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.seek(start * dtype.itemsize * int(np.prod(shape[1:])), os.SEEK_CUR)
        file.write(rows.tobytes())
        file.flush()
        os.fsync(file.fileno())


def _write_json(path: Path, value: Any) -> None:
    part = path.with_suffix(".tmp")
    part.write_text(json.dumps(value))
    os.replace(part, path)


def _fingerprint(path: Path) -> list[int]:
    """Size, and a checksum of the beginning and the end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        checksum = zlib.crc32(file.read(_PROBE))
        file.seek(max(0, size - _PROBE))
        checksum = zlib.crc32(file.read(_PROBE), checksum)
    return [size, checksum]


def _console() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


class _progress:
    """A bar where someone watches, one line where the output goes to a file."""

    def __init__(self, title: str, total: int, done: int) -> None:
        self._console = _console()
        self._text = f"Making {title}"
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(self._text, total=total, completed=done, rate="")
        self._total, self._begun, self._made = total, time.monotonic(), 0

    def __enter__(self) -> Callable[[int], None]:
        if self._console.is_terminal:
            self._bar.start()
        else:
            self._console.print(f"{self._text}: {self._total} samples …")
        return self._advance

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _advance(self, count: int) -> None:
        self._made += count
        rate = self._made / max(1e-6, time.monotonic() - self._begun)
        self._bar.update(self._task, advance=count, rate=f"{rate:.0f}/s")
