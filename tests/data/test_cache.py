"""A cache that is whole or visibly unfinished: kills, two processes, full disks, damage."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from datamodules import cache as module
from datamodules.cache import ArrayCache, MappedArrays
from zoo.errors import UserError

COUNT, CHUNK = 40, 4


def make(start: int, end: int) -> dict[str, np.ndarray]:
    rows = np.arange(start, end)
    return {"a": np.float16(rows[:, None] * [1, 2, 3]), "b": np.uint8(rows)}


class Counting:
    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []

    def __call__(self, start: int, end: int) -> dict[str, np.ndarray]:
        self.ranges.append((start, end))
        return make(start, end)


def cache(root: Path, **settings: object) -> ArrayCache:
    return ArrayCache("things", settings, COUNT, root=root)


def assert_right(arrays: dict[str, np.ndarray]) -> None:
    expected = make(0, COUNT)
    assert arrays.keys() == expected.keys()
    for key, value in expected.items():
        assert arrays[key].dtype == value.dtype
        np.testing.assert_array_equal(arrays[key], value)


def test_is_made_once(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    assert_right(cache(tmp_path).ensure(first, chunk=CHUNK))
    assert_right(cache(tmp_path).ensure(second, chunk=CHUNK))
    assert len(first.ranges) == 1 + COUNT // CHUNK
    assert second.ranges == []
    assert isinstance(cache(tmp_path).open()["a"], np.memmap)


def test_several_threads_make_the_same(tmp_path: Path) -> None:
    def uneven(start: int, end: int) -> dict[str, np.ndarray]:
        time.sleep(0.01 * (start // CHUNK % 3))
        return make(start, end)

    assert_right(cache(tmp_path).ensure(uneven, chunk=CHUNK, threads=3))


def test_other_settings_never_meet(tmp_path: Path) -> None:
    assert cache(tmp_path, seed=1).folder != cache(tmp_path, seed=2).folder
    cache(tmp_path, seed=1).ensure(make)
    with pytest.raises(UserError, match="prepare_data"):
        cache(tmp_path, seed=2).open()


SCRIPT = """
import os, sys, time
from datamodules.cache import ArrayCache
sys.path.insert(0, {tests!r})
from test_cache import COUNT, CHUNK, make
def slow(start, end):
    with open({log!r}, "a") as log:
        log.write(f"{{start}} {{end}}\\n")
    time.sleep({pause})
    return make(start, end)
ArrayCache("things", {{}}, COUNT, root={root!r}).ensure(slow, chunk=CHUNK)
"""


class Maker(NamedTuple):
    process: subprocess.Popen[bytes]
    log: Path


@pytest.fixture
def start_maker(tmp_path: Path) -> Callable[..., Maker]:
    def start(pause: float) -> Maker:
        log = tmp_path / "log"
        code = SCRIPT.format(tests=str(Path(__file__).parent), log=str(log), pause=pause, root=str(tmp_path / "data"))
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
        return Maker(subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE), log)

    return start


def test_goes_on_after_a_kill(tmp_path: Path, start_maker: Callable[..., Maker]) -> None:
    root = tmp_path / "data"
    maker = start_maker(0.15)
    note = cache(root)._part / "progress.json"
    deadline = time.monotonic() + 60
    while not (note.exists() and json.loads(note.read_text())["done"] >= 2 * CHUNK):
        assert time.monotonic() < deadline
        assert maker.process.poll() is None, maker.process.communicate()
        time.sleep(0.02)
    maker.process.send_signal(signal.SIGKILL)
    maker.process.wait()
    assert not cache(root).folder.exists(), "half a cache must not look whole"
    counting = Counting()
    assert_right(cache(root).ensure(counting, chunk=CHUNK))
    assert counting.ranges[1][0] >= 2 * CHUNK, "what was finished is not made again"
    assert list(root.glob("*.part")) == []


def test_a_torn_file_is_made_again(tmp_path: Path) -> None:
    """A kill between a chunk and its note leaves rows that nobody vouches for: they are written over."""
    unfinished = cache(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        unfinished.ensure(_interrupted_at(3 * CHUNK), chunk=CHUNK)
    with (unfinished._part / "a.npy").open("ab") as file:
        file.write(b"torn")
    assert_right(cache(tmp_path).ensure(make, chunk=CHUNK))


def _interrupted_at(sample: int) -> Callable[[int, int], dict[str, np.ndarray]]:
    def produce(start: int, end: int) -> dict[str, np.ndarray]:
        if end > sample:
            raise KeyboardInterrupt
        return make(start, end)

    return produce


def test_two_processes_make_it_once(tmp_path: Path, start_maker: Callable[..., Maker]) -> None:
    makers = [start_maker(0.02), start_maker(0.02)]
    for maker in makers:
        _, complaint = maker.process.communicate(timeout=120)
        assert maker.process.returncode == 0, complaint.decode()
    ranges = [line for line in makers[0].log.read_text().splitlines() if line != "0 1"]
    assert sorted(ranges, key=lambda line: int(line.split()[0])) == [
        f"{start} {start + CHUNK}" for start in range(0, COUNT, CHUNK)
    ]
    assert_right(cache(tmp_path / "data").open())


def test_too_little_space_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: real._replace(free=100))
    counting = Counting()
    with pytest.raises(
        UserError, match=r"Making things takes .* in .*, where only 0 bytes are free\. Make room"
    ) as told:
        cache(tmp_path).ensure(counting)
    assert "ZOO_HOME" in str(told.value)
    assert counting.ranges == [(0, 1)]


def test_a_disk_that_fills_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, calls = module._write_rows, []

    def full(*arguments: object) -> None:
        calls.append(1)
        if len(calls) > 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(*arguments)

    monkeypatch.setattr(module, "_write_rows", full)
    with pytest.raises(UserError, match="No space left"):
        cache(tmp_path).ensure(make, chunk=CHUNK)
    assert list(tmp_path.glob("things*")) == [], "what was begun must not keep the disk full"
    monkeypatch.setattr(module, "_write_rows", write)
    assert_right(cache(tmp_path).ensure(make, chunk=CHUNK))


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be kept in"):
        cache(tmp_path / "file").ensure(make)


@pytest.mark.parametrize("damage", ["truncate", "overwrite", "remove", "marker"])
def test_damage_is_mended(tmp_path: Path, damage: str) -> None:
    cache(tmp_path).ensure(make, chunk=CHUNK)
    file = cache(tmp_path).folder / "a.npy"
    if damage == "truncate":
        os.truncate(file, file.stat().st_size - 1)
    elif damage == "overwrite":
        with file.open("r+b") as open_file:
            open_file.seek(-10, os.SEEK_END)
            open_file.write(b"\xff" * 10)
    elif damage == "remove":
        file.unlink()
    else:
        (file.parent / "complete.json").write_text("{")
    assert_right(cache(tmp_path).ensure(make, chunk=CHUNK))


def test_workers_get_file_names(tmp_path: Path) -> None:
    arrays = MappedArrays(cache(tmp_path).ensure(make))
    travelling = pickle.dumps(arrays)
    assert len(travelling) < 1000
    np.testing.assert_array_equal(pickle.loads(travelling).rows([7, 3])["b"], [7, 3])
