"""What a training step of Deep3DFace is made of, and R-Net and decoder beside the authors' PyTorch code.

    python tests/benchmarks/deep3dface_speed.py
    python tests/benchmarks/deep3dface_speed.py --device cuda --backbone resnet50 --size 224 --batch 32
    python tests/benchmarks/deep3dface_speed.py --only network --beside path/to/Deep3DFaceRecon_pytorch

``--beside`` names a copy of the authors' repository; its Python is run, so give only what you trust. Both get the same
weights and a face model of the size of the Basel cut (a bent sheet with noise as bases), so that their answers can be
compared too. Their renderer and their recognition network are left out: the one needs a GPU and nvdiffrast, the other
is not in the repository. All are timed in turn in every round, so that a busy machine slows all alike; what counts is
the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from network_speed import report
from numpy.typing import NDArray
from scipy.io import savemat
from timing import wall_seconds, watched
from torch import Tensor

from datamodules import AlignedFaces, ProceduralFaces
from datamodules.sampling.camera import CameraRange
from lightning_modules.deep3dface.coefficients import Sizes, split
from lightning_modules.deep3dface.decoder import FaceDecoder
from lightning_modules.deep3dface.module import Deep3DFace
from lightning_modules.deep3dface.network import ReconNet
from zoo.morphable import MorphableModel

SIDE = 189
"""Of the sheet: 189 x 189 = 35,721 vertices; the Basel cut has 35,709."""


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("step", "network"), help="the training step, or what a prediction takes")
    parser.add_argument("--beside", type=Path, metavar="FOLDER", help="the authors' repository")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--backbone", default="regnetx_002", help="of the training step")
    parser.add_argument("--size", type=int, default=112, help="of the pictures in the training step")
    parser.add_argument("--batch", type=int, default=32, help="of the training step")
    parser.add_argument("--morphable", default="procedural", help="of the training step")
    parser.add_argument("--perception", default="embedded", help="of the training step")
    parser.add_argument("--steps", type=int, default=20, help="training steps that are timed")
    parser.add_argument("--rounds", type=int, default=15, help="of the comparison")
    options = parser.parse_args()
    print(f"{options.device}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    if options.only != "network":
        step_shares(options)
    if options.only != "step":
        prediction_times(options)


# The training step


def step_shares(options: argparse.Namespace) -> None:
    """Print what each part of a training step takes: the median over steps, and its share."""
    torch.manual_seed(0)
    module = Deep3DFace(
        morphable=options.morphable, backbone=options.backbone, size=options.size, perception=options.perception
    )
    module = module.to(options.device).train()
    spent: dict[str, float] = defaultdict(float)
    cuts = watch(module, spent)
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-5)
    batches = endless(aligned_faces(options), torch.device(options.device), spent)
    steps: list[dict[str, float]] = []
    for _ in range(options.steps + 2):  # two to warm up
        spent.clear()
        whole = wall_seconds(lambda: one_step(module, optimizer, batches, cuts, spent))
        steps.append({**spent, "losses, and the rest": whole - sum(spent.values())})
    side, model = options.size, module.decoder.model
    print(
        f"\ntraining step: {options.backbone}, {options.batch} x 3 x {side} x {side}, perception {options.perception},"
    )
    print(f"{model.name}, {len(module.front.vertex_ids):,} of its {len(model.mean):,} vertices")
    medians = {name: statistics.median(step[name] for step in steps[2:]) for name in steps[0]}
    total = sum(medians.values())
    for name, seconds in medians.items():
        print(f"  {name:42} {1000 * seconds:9.1f} ms {100 * seconds / total:5.1f} %")
    print(f"  {'all':42} {1000 * total:9.1f} ms, {1000 * total / options.batch:.2f} ms a picture")


def watch(module: Deep3DFace, spent: dict[str, float]) -> list[tuple[Tensor, Tensor]]:
    """Put the parts of the forward pass under a watch, and cut the graph behind R-Net.

    Returns:
        A list that takes R-Net's coefficients and their copy behind the cut in each step: the gradients of the copy,
        put into the coefficients, are the second half of the backward pass.
    """
    cuts: list[tuple[Tensor, Tensor]] = []
    heads = module.network.heads

    def cut(pooled: Tensor) -> Tensor:
        coefficients = heads(pooled)
        cuts.append((coefficients, coefficients.detach().requires_grad_()))
        return cuts[-1][1]

    parts: dict[str, tuple[Any, dict[str, Callable[..., Any]]]] = {
        "network": (module.network, {"features": module.network.features, "heads": cut}),
        "decoder": (module.front, {"forward": module.front.forward, "contract": module.front.contract}),
        "renderer": (module.front, {"render": module.front.render}),
        "perception": (module, {"_recognised": module._recognised}),
    }
    for part, (owner, functions) in parts.items():
        for name, function in functions.items():
            object.__setattr__(owner, name, watched(spent, part, function))
    return cuts


def one_step(
    module: Deep3DFace,
    optimizer: torch.optim.Optimizer,
    batches: Iterator[dict[str, Tensor]],
    cuts: list[tuple[Tensor, Tensor]],
    spent: dict[str, float],
) -> None:
    """What Lightning does for one batch."""
    batch = next(batches)
    loss = module.total_loss(module.losses(module.answer(batch), batch))
    optimizer.zero_grad()
    watched(spent, "backward: perception, renderer, decoder", loss.backward)()
    coefficients, copy = cuts.pop()
    watched(spent, "backward: network", coefficients.backward)(copy.grad)
    watched(spent, "optimiser", optimizer.step)()


def aligned_faces(options: argparse.Namespace) -> AlignedFaces:
    """A few batches of faces, which are cut out anew each time."""
    faces = ProceduralFaces(
        size=round(1.35 * options.size), train=4 * options.batch, val=1, test=1, morphable=options.morphable,
        keys=("image", "landmarks"), camera=CameraRange(margin=1.35, careless=0), flip=False,
    )  # fmt: skip
    return AlignedFaces(faces, options.size, options.batch)


def endless(data: AlignedFaces, device: torch.device, spent: dict[str, float]) -> Iterator[dict[str, Tensor]]:
    """Training batches without an end, whose loading is timed; the faces are made before the first."""
    data.prepare_data()
    data.setup("fit")
    while True:
        batches = iter(data.train_dataloader())
        for _ in range(len(data.train_dataloader())):
            batch = watched(spent, "data", next)(batches)
            yield {name: value.to(device) for name, value in batch.items()}


# A prediction, beside the authors'


def prediction_times(options: argparse.Namespace) -> None:
    """Print what R-Net, the decoder and our renderer take, for one picture and for a batch."""
    with tempfile.TemporaryDirectory() as folder:
        savemat(Path(folder) / "BFM_model_front.mat", sheet())
        torch.manual_seed(0)
        network = ReconNet().to(options.device).eval()
        for parameter in network.final_layers.parameters():
            torch.nn.init.normal_(parameter, std=0.01)
        decoder = FaceDecoder(MorphableModel.load(f"bfm:{folder}")).to(options.device)
        their_network, their_decoder = authors(options.beside, folder, network, options.device)
    for batch in (1, 8):
        image = torch.rand(batch, 3, 224, 224, device=options.device)
        coefficients = 0.1 * torch.randn(batch, Sizes().total, device=options.device)
        print(f"\n{batch} x 3 x 224 x 224, resnet50, {len(decoder.model.mean):,} vertices, milliseconds of the batch")
        print_times("R-Net", network, their_network, image, options.rounds)
        print_times("decoder", whole_decoder(decoder), their_decoder, coefficients, options.rounds)
        with torch.no_grad():
            decoded = decoder(split(coefficients, decoder.sizes))
        print_times("renderer", decoder.render, None, decoded, options.rounds)


def whole_decoder(decoder: FaceDecoder) -> Callable[[Tensor], tuple[Tensor, ...]]:
    """From coefficients to what the authors' decoder gives: vertices, texture, lit colour, landmarks."""

    def decode(coefficients: Tensor) -> tuple[Tensor, ...]:
        decoded = decoder(split(coefficients, decoder.sizes))
        return tuple(decoded[name] for name in ("vertices", "texture", "colour", "points"))

    return decode


def print_times(
    what: str, ours: Callable[[Any], Any], theirs: Callable[[Any], Any] | None, given: Any, rounds: int
) -> None:
    """Time ours, and theirs where it is there, in turn; and tell how far the last of their answers lies from ours."""
    calls = {f"our {what}": ours} | ({f"their {what}": theirs} if theirs else {})
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    answers: dict[str, Any] = {}
    with torch.inference_mode():
        for number in range(rounds + 2):  # two to warm up
            taken: dict[str, float] = defaultdict(float)
            for name, call in calls.items():
                answers[name] = watched(taken, name, call)(given)
                if number >= 2:
                    seconds[name].append(taken[name])
    report(seconds)
    if theirs:
        mine, other = (last(value) for value in answers.values())
        print(f"  largest difference {(mine - other).abs().max():.1e}, of values up to {mine.abs().max():.3g}")


def last(answer: Any) -> Tensor:
    """The coefficients of R-Net, the landmarks of a decoder."""
    return answer[-1] if isinstance(answer, tuple) else answer


def authors(
    repository: Path | None, model_folder: str, network: ReconNet, device: str
) -> tuple[Callable[[Tensor], Tensor] | None, Callable[[Tensor], tuple[Tensor, ...]] | None]:
    """The authors' R-Net with our weights, and their decoder of the face model in a folder."""
    if repository is None:
        return None, None
    if not (repository / "models" / "bfm.py").is_file():
        raise SystemExit(f"{repository} has no models/bfm.py; it is no copy of Deep3DFaceRecon_pytorch")
    sys.path.insert(0, str(repository))
    # What they import and what is not measured here: their copy of ArcFace, which they leave to the user.
    for name in ("models.arcface_torch", "models.arcface_torch.backbones"):
        sys.modules.setdefault(name, ModuleType(name))
    sys.modules["models.arcface_torch.backbones"].get_model = None  # type: ignore[attr-defined]
    their_network = importlib.import_module("models.networks").define_net_recon("resnet50", use_last_fc=False)
    their_network.load_state_dict(network.state_dict(), strict=True)
    face_model = importlib.import_module("models.bfm").ParametricFaceModel(bfm_folder=model_folder)
    face_model.to(torch.device(device))
    return their_network.to(device).eval(), face_model.compute_for_render


def sheet() -> dict[str, NDArray[Any]]:
    """A face model with the keys and, nearly, the sizes of the Basel cut: a bent sheet, and noise as bases."""
    random = np.random.default_rng(0)
    y, x = (axis.reshape(-1) for axis in np.meshgrid(*2 * [np.linspace(-1, 1, SIDE)], indexing="ij"))
    mean = np.stack((x, -y, 1 - x * x - y * y), 1)
    row, column = (axis.reshape(-1) for axis in np.meshgrid(*2 * [np.arange(SIDE - 1)], indexing="ij"))
    corner = row * SIDE + column
    upper, lower = (corner, corner + SIDE, corner + 1), (corner + 1, corner + SIDE, corner + SIDE + 1)
    triangles = np.concatenate([np.stack(each, 1) for each in (upper, lower)])
    vertices = np.arange(SIDE * SIDE)

    def basis(count: int, scale: float) -> NDArray[np.float32]:
        return scale * random.standard_normal((3 * len(mean), count), np.float32)

    return {
        "meanshape": mean.reshape(1, -1).astype(np.float32),
        "meantex": np.full((1, mean.size), 150, np.float32),
        "idBase": basis(80, 1e-4),
        "exBase": basis(64, 1e-4),
        "texBase": basis(80, 1.0),
        "tri": triangles + 1,
        "point_buf": triangles_at(triangles) + 1,
        "keypoints": np.linspace(1, len(mean), 68).astype(np.int32)[None],
        "frontmask2_idx": vertices[:, None] + 1,
        "tri_mask2": triangles + 1,
        "skinmask": np.ones((1, len(mean)), np.uint8),
    }


def triangles_at(triangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """(V,8) the triangles at each vertex, filled up with the number of triangles."""
    order = np.argsort(triangles.reshape(-1), kind="stable")
    vertex = triangles.reshape(-1)[order]
    first = np.searchsorted(vertex, np.arange(SIDE * SIDE))
    found = np.full((SIDE * SIDE, 8), len(triangles))
    found[vertex, np.arange(len(vertex)) - first[vertex]] = order // 3
    return found


if __name__ == "__main__":
    main()
