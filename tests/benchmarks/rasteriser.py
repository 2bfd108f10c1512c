"""How fast the torch rasteriser is, as ratios within one run.

Run it on an otherwise idle machine::

    python tests/benchmarks/rasteriser.py                     # the quick workloads, seconds
    python tests/benchmarks/rasteriser.py --workloads all     # with PyTorch3D installed: a quarter of an hour
    python tests/benchmarks/rasteriser.py --device cuda

Each row sets our time beside that of PyTorch3D (where it is installed), of the same algorithm as a loop compiled by
numba, and of Embree (where trimesh finds it). Calls take turns, and the fastest of each counts. On a machine with other
work to do use one thread (``--threads 1``): processor time is measured then, and no kernel waits for a second core.
PyTorch3D has no binned rasteriser on a CPU: it tests every face at every pixel, and the ratio mostly measures that.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
import weakref
from collections.abc import Callable
from typing import Any

import torch
from head_mesh import Workload, bfm, bfm_face, flame, scene
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from zoo.render import interpolate, rasterize, soft_mask
from zoo.render.pytorch3d_backend import works_on

WORKLOADS = {
    "quick": [(flame(64, 1), True), (flame(128, 1), True), (flame(128, 16), True), (bfm(224, 1), True)],
    "all": [
        (flame(64, 1), True),
        (flame(128, 1), True),
        (flame(128, 16), True),
        (bfm_face(224, 1), True),
        (bfm(224, 1), True),
        (bfm(224, 1), False),
        (bfm(224, 4), True),
        (bfm(224, 16), True),
        (bfm(512, 1), True),
    ],
    "large": [(bfm(512, 1), True), (bfm(512, 1), False), (bfm(512, 16), True), (bfm(1024, 1), True)],
}

TARGETS = {
    "5k 128, B=1": {"pytorch3d raster": 300, "pytorch3d fwd+bwd": 150},
    "5k 128, B=16": {"pytorch3d raster": 300, "pytorch3d fwd+bwd": 200, "loop": 1 / 6},
    "bfm 224, B=1": {"pytorch3d raster": 3000, "pytorch3d fwd+bwd": 1500, "loop": 1 / 3, "embree": 4},
    "bfm 512, B=1": {"pytorch3d raster": 4000, "loop": 1 / 5},
}
"""Their time over ours, at least; the loop's are for culled faces, Embree's for all faces."""


def seconds(calls: dict[str, Callable[[], Any]], device: str, repeats: int, patience: float = 10.0) -> dict[str, float]:
    """The least time of each call, all of them taken in turns; one that has used up its patience is left alone."""
    clock = time.process_time if device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            if sum(times[name]) < patience:
                start = clock()
                call()
                if device == "cuda":
                    torch.cuda.synchronize()
                times[name].append(clock() - start)
    return {name: min(values) for name, values in times.items()}


class PeakMemory(TorchDispatchMode):
    """The most bytes that tensors made inside the block held at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operator, and count the storages that it made."""
        result = func(*args, **(kwargs or {}))
        given = {
            value.untyped_storage().data_ptr()
            for value in torch.utils._pytree.tree_leaves((args, kwargs))
            if isinstance(value, Tensor)
        }
        for value in torch.utils._pytree.tree_leaves(result):
            if isinstance(value, Tensor) and value.untyped_storage().data_ptr() not in given | self.known:
                storage = value.untyped_storage()
                self.known.add(storage.data_ptr())
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self._freed, storage.data_ptr(), storage.nbytes())
        return result

    def _freed(self, pointer: int, size: int) -> None:
        self.known.discard(pointer)
        self.now -= size


def ours(
    vertices: Tensor, triangles: Tensor, camera: Any, attributes: Tensor, cull: bool
) -> dict[str, Callable[[], Any]]:
    """Projection and rasterising; with interpolation; with gradients; and with the soft mask besides."""
    height, width = camera.height, camera.width
    image_weight, depth_weight = torch.rand(3, height, width).to(vertices), torch.rand(height, width).to(vertices)

    def raster() -> Tensor:
        return rasterize(camera.project(vertices), triangles, height, width, cull=cull)

    def forward(points: Tensor = vertices, values: Tensor = attributes) -> tuple[Tensor, Tensor, Tensor]:
        screen = camera.project(points)
        face_ids = rasterize(screen, triangles, height, width, cull=cull)
        return interpolate(screen, triangles, face_ids, values)

    def backward(with_mask: bool = False) -> None:
        points, values = vertices.clone().requires_grad_(), attributes.clone().requires_grad_()
        screen = camera.project(points)
        face_ids = rasterize(screen, triangles, height, width, cull=cull)
        image, depth, _ = interpolate(screen, triangles, face_ids, values)
        loss = (image * image_weight).sum() + (depth * depth_weight).sum()
        if with_mask:
            loss = loss + (soft_mask(screen, triangles, face_ids, cull=cull) * depth_weight).sum()
        loss.backward()

    return {"raster": raster, "fwd": forward, "fwd+bwd": backward, "fwd+bwd, mask": lambda: backward(True)}


def pytorch3d(
    vertices: Tensor, triangles: Tensor, camera: Any, attributes: Tensor, cull: bool
) -> dict[str, Callable[[], Any]]:
    """The same through PyTorch3D's own rasteriser, barycentrics and backward pass."""
    from pytorch3d.ops import interpolate_face_attributes
    from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
    from pytorch3d.structures import Meshes

    batch, size = len(vertices), camera.height
    faces = triangles[None].expand(batch, -1, -1)
    image_weight, depth_weight = torch.rand(size, size, 3).to(vertices), torch.rand(size, size).to(vertices)

    def draw(points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        screen = camera.project(points)
        ndc = torch.cat((((size - 1) / 2 - screen[..., :2]) * (2 / size), screen[..., 2:]), -1)
        ids, depth, weights, _ = rasterize_meshes(
            Meshes(ndc, faces), size, 0.0, 1, perspective_correct=True, cull_backfaces=cull
        )
        return ids, depth, weights

    def raster() -> Tensor:
        with torch.no_grad():
            ids = draw(vertices)[0][..., 0]
        return torch.where(ids < 0, -1, ids % len(triangles))

    def backward() -> None:
        points, values = vertices.clone().requires_grad_(), attributes.clone().requires_grad_()
        ids, depth, weights = draw(points)
        corners = values[:, triangles].reshape(-1, 3, 3)
        image = interpolate_face_attributes(ids, weights, corners)[..., 0, :]
        ((image * image_weight).sum() + (depth[..., 0] * depth_weight).sum()).backward()

    return {"raster": raster, "fwd+bwd": backward}


def compiled_loop(screen: Tensor, triangles: Tensor, size: int, cull: bool) -> Callable[[], Tensor]:
    """The numba loop, compiled before the first timing."""
    from rasteriser_loop import loop

    points, faces = screen.cpu().numpy(), triangles.cpu().numpy()
    loop(points[:1], faces[:1], 4, 4, cull)
    return lambda: torch.from_numpy(loop(points, faces, size, size, cull)[0])


def embree(vertices: Tensor, triangles: Tensor, camera: Any) -> Callable[[], Any]:
    """Build the acceleration structure and cast one ray a pixel, as a mesh that deforms at every step needs."""
    import trimesh
    from trimesh.ray.ray_pyembree import RayMeshIntersector

    rows, columns = torch.meshgrid(torch.arange(camera.height), torch.arange(camera.width), indexing="ij")
    ray = torch.stack(((columns - camera.centre[0]) / camera.focal, (camera.centre[1] - rows) / camera.focal), -1)
    ray = torch.cat((ray, -torch.ones(*ray.shape[:2], 1)), -1).reshape(-1, 3).numpy()
    origin = torch.zeros(len(ray), 3).numpy()
    points, faces = vertices[0].numpy(), triangles.numpy()
    return lambda: RayMeshIntersector(trimesh.Trimesh(points, faces, process=False)).intersects_first(origin, ray)


def row(workload: Workload, cull: bool, device: str, repeats: int) -> list[str]:
    """Measure one workload against everything that is here."""
    vertices, triangles, camera = scene(workload)
    vertices, triangles = vertices.to(device), triangles.to(device)
    attributes = torch.rand(vertices.shape, generator=torch.Generator().manual_seed(0)).to(device)
    calls = {f"ours {name}": call for name, call in ours(vertices, triangles, camera, attributes, cull).items()}
    if works_on(device):
        theirs = pytorch3d(vertices, triangles, camera, attributes, cull)
        calls |= {f"pytorch3d {name}": call for name, call in theirs.items()}
    if device == "cpu" and importlib.util.find_spec("numba") is not None:
        calls["loop"] = compiled_loop(camera.project(vertices), triangles, workload.size, cull)
    if device == "cpu" and not cull and workload.batch == 1 and importlib.util.find_spec("embreex") is not None:
        calls["embree"] = embree(vertices, triangles, camera)
    took = seconds(calls, device, repeats)

    face_ids = calls["ours raster"]()
    agreement = []
    for name in ("pytorch3d raster", "loop"):
        if name in calls and took[name] < 30:
            same = calls[name]().to(device) == face_ids
            agreement.append(f"{name.split()[0]} {100 * same.double().mean():.4f} %")
    peak = PeakMemory()
    with peak:
        rasterize(camera.project(vertices), triangles, workload.size, workload.size, cull=cull)
    targets = TARGETS.get(workload.title, {}) if device == "cpu" else {}

    def ratio(theirs: str, mine: str = "ours raster") -> str:
        if theirs not in took:
            return "-"
        value, target = took[theirs] / took[mine], targets.get(theirs)
        met = (
            ""
            if target is None or cull == (theirs == "embree")
            else f" ({'meets' if value >= target else 'MISSES'} {target:.3g})"
        )
        return f"{value:,.0f}x{met}" if value >= 10 else f"{value:.2f}x{met}"

    return [
        workload.title,
        "back faces" if cull else "none",
        *(f"{took[f'ours {name}'] * 1e3:.2f}" for name in ("raster", "fwd", "fwd+bwd", "fwd+bwd, mask")),
        ratio("pytorch3d raster"),
        ratio("pytorch3d fwd+bwd", "ours fwd+bwd"),
        ratio("loop"),
        ratio("embree"),
        f"{peak.peak / 1e6 / workload.batch:.1f}",
        ", ".join(agreement) or "-",
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How fast the torch rasteriser is, as ratios within one run.")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--workloads", choices=tuple(WORKLOADS), default="quick")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=25)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    # Its own thread pool: sharing OpenMP's with torch slows both down.
    os.environ |= {"NUMBA_NUM_THREADS": str(options.threads), "NUMBA_THREADING_LAYER": "workqueue"}
    table = Table(title=f"Rasteriser on {options.device}, {options.threads} threads; ratio = their time / ours")
    for heading in ("workload", "culled", "raster ms", "fwd ms", "fwd+bwd ms", "+ soft mask ms"):
        table.add_column(heading)
    for heading in (
        "PyTorch3D raster",
        "PyTorch3D fwd+bwd",
        "compiled loop",
        "Embree",
        "scratch MB/item",
        "same face id",
    ):
        table.add_column(heading)
    console = Console(width=200)
    for workload, cull in WORKLOADS[options.workloads]:
        console.print(f"measuring {workload.title} ...")
        table.add_row(*row(workload, cull, options.device, options.repeats))
    console.print(table)


if __name__ == "__main__":
    main()
