"""How many procedural scenes are made in a second, what each step takes of it, and how fast they are read back.

Run it by hand: ``python tests/benchmarks/scenes_per_second.py [--device cuda] [--kind rooms] [--lights 4]``. Threads
are those of the machine, or of OMP_NUM_THREADS; on a CPU as many scenes are rendered at once, with one thread each.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from rich.console import Console
from rich.table import Table
from timing import wall_seconds, watched

from datamodules.sampling.draws import Draws
from datamodules.scenes import renderer
from datamodules.scenes.annotations import ANNOTATIONS, annotate, truth_for
from datamodules.scenes.judgements import Judges
from datamodules.scenes.module import ProceduralScenes
from datamodules.scenes.renderer import SceneRenderer
from datamodules.threads import one_thread_each

_STEPS: dict[str, tuple[tuple[Any, str], ...]] = {
    "layout": ((renderer.SceneRenderer, "scene"),),
    "rays of the camera": ((renderer, "Seen"),),
    "materials": ((renderer, "paint"),),
    "shadows": ((renderer._Shot, "_visibility"),),
    "rays of the bounce": ((renderer, "Bounce"),),
    "bounce": ((renderer.Bounce, "shade"), (renderer, "face_light")),
}
"""What is watched; shadows of a light are kept from picture to picture."""


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--kind", default="both")
    parser.add_argument("--lights", type=int, default=1)
    parser.add_argument("--count", type=int, default=32, help="scenes that are rendered")
    arguments = parser.parse_args()
    size = {"height": arguments.height, "width": arguments.width}
    scenes = SceneRenderer(**size, kind=arguments.kind, lights=arguments.lights, device=arguments.device)

    def run(indices: Sequence[int]) -> None:
        scenes.render("train", indices)

    run(range(2))
    console = Console()
    with one_thread_each() as threads, ThreadPoolExecutor(threads) as pool:
        shares = [range(first, arguments.count, threads) for first in range(threads)]
        whole, busy = min(_both_clocks(lambda: list(pool.map(run, shares))) for _ in range(2))
        place = torch.cuda.get_device_name() if arguments.device == "cuda" else f"{threads} CPU threads"
        lights = f", {arguments.lights} lights" if arguments.lights > 1 else ""
        console.print(f"{arguments.height} x {arguments.width} pixels, {arguments.kind}{lights}, {place}")
        console.print(
            f"[bold]{arguments.count / whole:.1f} scenes a second[/bold], the best of 2 runs; "
            f"{1000 * busy / arguments.count:.0f} ms of one processor each"
        )
        _breakdown(console, lambda: run(range(arguments.count)), arguments.count)
        _annotations(console, scenes, arguments.count)
    _cache(console, {**size, "kind": arguments.kind, "lights": arguments.lights}, arguments.count)


def _both_clocks(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds on the wall, and of the processors: on a busy machine the first says little."""
    started = time.process_time()
    wall = wall_seconds(work)
    return wall, time.process_time() - started


def _breakdown(console: Console, work: Callable[[], Any], count: int) -> None:
    """Milliseconds a scene of each step, on one thread, with the renderer's functions under a watch."""
    spent: dict[str, float] = defaultdict(float)

    with pytest.MonkeyPatch.context() as patch:
        for step, places in _STEPS.items():
            for owner, name in places:
                patch.setattr(owner, name, watched(spent, step, getattr(owner, name)))
        timed = wall_seconds(work)
    table = Table("step", "milliseconds a scene", "share")
    for step, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        table.add_row(step, f"{1000 * seconds / count:.0f}", f"{100 * seconds / timed:.0f} %")
    rest = timed - sum(spent.values())
    table.add_row("the rest", f"{1000 * rest / count:.0f}", f"{100 * rest / timed:.0f} %")
    console.print(table)


def _annotations(console: Console, scenes: SceneRenderer, count: int) -> None:
    scenes = SceneRenderer(scenes.height, scenes.width, kind=scenes.kind, keys=truth_for(list(ANNOTATIONS)))
    truth, draws = scenes.render("train", range(8)), Draws(0, "train", range(8))
    table = Table("annotation", "milliseconds a scene")
    for key in ANNOTATIONS:
        seconds = min(wall_seconds(lambda key=key: annotate([key], truth, draws, Judges())) for _ in range(2))
        table.add_row(key, f"{1000 * seconds / 8:.1f}")
    console.print(table)


def _cache(console: Console, settings: dict[str, Any], count: int) -> None:
    """Scenes a second into the cache with all annotations, and out of it in batches of 8."""
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_HOME", home)
        data = ProceduralScenes(**settings, train=count, val=1, test=1)
        wall, busy = _both_clocks(lambda: data.split("train"))
        made, processor = count / wall, 1000 * busy / count
        for name, effects in (("clean", ()), ("with noise and JPEG", data.effects)):
            read = ProceduralScenes(**settings, train=count, val=1, test=1, effects=effects)
            loader = read.train_dataloader()
            list(loader)
            with one_thread_each():
                wall, busy = min(_both_clocks(lambda loader=loader: list(loader)) for _ in range(3))
            scenes = len(loader) * read.batch_size
            console.print(
                f"read back {name}: {scenes / wall:.0f} scenes a second in one process of one thread, "
                f"{1000 * busy / scenes:.1f} ms of a processor each"
            )
        console.print(
            f"the cache is made, and annotated, at {made:.1f} scenes a second, {processor:.0f} ms of a processor each"
        )


if __name__ == "__main__":
    main()
