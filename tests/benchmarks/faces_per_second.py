"""How many procedural faces are made in a second, what each step takes of it, and how fast they are read back.

Run it by hand: ``python tests/benchmarks/faces_per_second.py [--device cuda] [--size 128] [--morphable procedural]``.
Effects are all on unless named (``--effects blur noise``); ``--bare`` dresses nobody; ``--breakdown`` tells what each
effect takes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from rich.console import Console
from rich.table import Table
from timing import wall_seconds, watched

from datamodules.cache import ArrayCache, MappedArrays
from datamodules.faces import DEFAULT_KEYS, FaceRenderer, effects, lighting, renderer
from datamodules.faces.effects import EFFECTS
from datamodules.faces.worn import WornRange
from datamodules.storage import pack, stored_keys, unpack
from datamodules.threads import one_thread_each
from zoo.morphable import MorphableModel

STEPS = {
    "random coefficients and light": ("draw_identity", "draw_expression", "draw_texture", "draw_light", "draw_framing"),
    "place the head": ("place",),
    "exposure": ("expose",),
    "rasterise": ("rasterize",),
    "interpolate": ("interpolate",),
    "shade": ("shade",),
    "background": ("draw_background",),
    "things in front": ("draw_occluders",),
    "shadows and highlights": ("leaving_light",),
    "camera and file": ("apply_effects",),
}
_AT_THE_HEAD = {"shadows": "cast_shadow", "crevices": "crevices", "dapples": "dapples", "specular": "highlights"}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32, help="faces rendered at once")
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--morphable", default="procedural")
    parser.add_argument("--effects", nargs="*", default=list(EFFECTS))
    parser.add_argument("--bare", action="store_true", help="no hair, hats, glasses, clothes, hands")
    parser.add_argument("--breakdown", action="store_true", help="what each effect takes")
    arguments = parser.parse_args()

    started = time.perf_counter()
    model = MorphableModel.load(arguments.morphable)
    loading = time.perf_counter() - started
    faces = FaceRenderer(
        model,
        arguments.size,
        keys=stored_keys(DEFAULT_KEYS),
        effects=arguments.effects,
        worn=None if arguments.bare else WornRange(),
        device=arguments.device,
    )

    def run(first: int) -> None:
        for start in range(first, first + arguments.batches * arguments.batch, arguments.batch):
            pack(faces.render("train", range(start, start + arguments.batch)))

    run(0)
    count = arguments.batches * arguments.batch
    whole = min(wall_seconds(lambda: run(0)) for _ in range(3))
    shares = _shares(lambda: run(0), model)
    made, read = _cache(faces, count)

    place = torch.cuda.get_device_name() if arguments.device == "cuda" else f"{torch.get_num_threads()} CPU threads"
    console = Console()
    console.print(
        f"{model.name} ({len(model.mean)} vertices, loaded in {loading:.1f} s), {arguments.size} pixels, {place}"
    )
    console.print(
        f"[bold]{count / whole:.1f} faces a second[/bold] in batches of {arguments.batch}, the best of 3 runs"
    )
    table = Table("step", "share")
    timed = shares.pop("all")
    for step, seconds in sorted(shares.items(), key=lambda item: -item[1]):
        table.add_row(step, f"{100 * seconds / timed:.0f} %")
    table.add_row("the rest", f"{100 * (1 - sum(shares.values()) / timed):.0f} %")
    console.print(table)
    if arguments.breakdown:
        table = Table("effect", "milliseconds a face")
        for effect, seconds in _each_effect(lambda: run(0)).items():
            table.add_row(effect, f"{1000 * seconds / count:.2f}")
        console.print(table)
    console.print(f"the cache is made at {made:.1f} faces a second, and read back at {read:.0f} in one process")


def _shares(work: Callable[[], None], model: MorphableModel) -> dict[str, float]:
    """Seconds of each step, with the renderer's functions under a watch; the watch itself costs a little."""
    spent: dict[str, float] = defaultdict(float)

    originals = {name: getattr(renderer, name) for names in STEPS.values() for name in names}
    decode = model.forward
    try:
        for step, names in STEPS.items():
            for name in names:
                setattr(renderer, name, watched(spent, step, originals[name]))
        model.forward = watched(spent, "face model", decode)  # type: ignore[method-assign]
        spent["all"] = wall_seconds(work)
    finally:
        for name, function in originals.items():
            setattr(renderer, name, function)
        model.forward = decode  # type: ignore[method-assign]
    return dict(spent)


def _each_effect(work: Callable[[], None]) -> dict[str, float]:
    """Seconds of each effect, in the order of ``EFFECTS``; what is not at work takes none."""
    spent = dict.fromkeys(EFFECTS, 0.0)

    with pytest.MonkeyPatch.context() as patch:
        for effect, name in _AT_THE_HEAD.items():
            patch.setattr(lighting, name, watched(spent, effect, getattr(lighting, name)))
        patch.setattr(renderer, "backlight", watched(spent, "backlight", renderer.backlight))
        for table in (effects._ON_LIGHT, effects._ON_PICTURE):
            for effect, function in table.items():
                patch.setitem(table, effect, watched(spent, effect, function))
        work()
    return spent


def _cache(faces: FaceRenderer, count: int) -> tuple[float, float]:
    """Faces a second into the cache, as ``ProceduralFaces`` makes it, and out of it in batches of 32."""

    def produce(start: int, end: int) -> dict[str, Any]:
        return pack(faces.render("train", range(start, end)))

    with tempfile.TemporaryDirectory() as folder:
        cache = ArrayCache("benchmark", {}, count, root=folder, title="faces")
        with one_thread_each() as threads:
            made = count / wall_seconds(lambda: cache.ensure(produce, chunk=16, threads=threads))
        arrays, order = MappedArrays(cache.open()), torch.randperm(count).tolist()

        def read() -> None:
            for start in range(0, 1024, 32):
                unpack(arrays.rows([order[(start + i) % count] for i in range(32)]), DEFAULT_KEYS)

        read()
        return made, 1024 / wall_seconds(read)


if __name__ == "__main__":
    main()
