"""Which of the things that make rendered faces look like photographs help on photographs.

    python tests/benchmarks/ablation.py FOLDER -o out/ablation
    python tests/benchmarks/ablation.py FOLDER -o out/ablation --arms all nothing worn --seeds 0 1 2
    python tests/benchmarks/ablation.py FOLDER -o out/ablation --each       every effect by itself

FOLDER holds photos with five true points each, as for ``landmarks.py``. In every arm the small landmark network is
trained, from scratch or from ``--weights``, on procedural faces from which one thing is left out, with the same number
of steps, and scored on the photos: the mean error of the five points in per cent of the distance between the eyes, from
crops that miss the face; the median over several draws of such crops. An arm takes some minutes on one thread. Its line
is added to ``ablation.csv`` when it ends; called again, the script goes on with what is missing, and prints the table
of all there is.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from landmarks import bad_frames, errors, portraits
from torch import Tensor

from datamodules import BatchDataset, LandmarkCrops, ProceduralFaces, ZooDataModule
from datamodules.faces.effects import EFFECTS
from datamodules.faces.worn import WornRange
from datamodules.sampling.camera import CameraRange
from datamodules.sampling.pose import PoseRange
from lightning_modules.face_landmarks.module import FaceLandmarks
from zoo.faces.landmarks import find_landmarks, load_network

NOTHING_WORN = WornRange(hair=0, hats=0, glasses=0, hands=0, clothes=0, masks=0)
GROUPS = {
    "shadows": ("shadows", "crevices", "dapples"),
    "highlights": ("specular",),
    "lens": ("backlight", "flare", "vignette", "blur"),
    "exposure and colour casts": ("exposure", "white_balance", "tone", "monochrome"),
    "noise": ("noise",),
    "file": ("resolution", "compression"),
}
COLUMNS = ("arm", "seed", "steps", "pictures", "portraits", "worst", "expected", "score", "loss", "seconds")


def arms(each: bool) -> dict[str, dict[str, Any]]:
    """Arguments of ``ProceduralFaces`` and ``LandmarkCrops`` (``corruptions``) by the name of what is left out."""
    left_out = {f"without {name}": (name,) for name in EFFECTS} if each else {}
    left_out = left_out or {f"without {name}": members for name, members in GROUPS.items()}
    return {
        "all": {},
        "nothing": {"worn": NOTHING_WORN, "detail": False, "occluders": 0.0, "effects": (), "corruptions": ()},
        "without worn things": {"worn": NOTHING_WORN},
        "without skin detail": {"detail": False},
        "without occluders": {"occluders": 0.0},
        "without corrupted crops": {"corruptions": ()},
        **{name: {"effects": [effect for effect in EFFECTS if effect not in gone]} for name, gone in left_out.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--arms", nargs="+", metavar="ARM", help="some of the arms by the last words of their names")
    parser.add_argument("--each", action="store_true", help="leave out each effect by itself, not in groups")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of faces, weights and order")
    parser.add_argument("--weights", type=Path, help="a network to start from, such as one that saw plain faces alone")
    parser.add_argument("--steps", type=int, default=700, help="of the optimiser, 64 crops each")
    parser.add_argument("--pictures", type=int, default=1500, help="rendered faces in an arm")
    parser.add_argument("--draws", type=int, default=7, help="sets of crops that miss the face, 4 of each photo")
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen = arms(options.each)
    if options.arms:
        chosen = {name: value for name, value in chosen.items() if any(name.endswith(each) for each in options.arms)}
    if not chosen:
        parser.error(f"no such arm; there are {', '.join(arms(options.each))}.")
    options.output.mkdir(parents=True, exist_ok=True)
    log = options.output / "ablation.csv"
    photos = list(portraits(options.folder))
    for seed in options.seeds:
        for name, settings in chosen.items():
            done = {(row["arm"], row["seed"], row["steps"], row["pictures"]) for row in rows(log)}
            if (name, str(seed), str(options.steps), str(options.pictures)) in done:
                continue
            start = time.perf_counter()
            module, loss = trained(settings, seed, options.steps, options.pictures, options.weights)
            row = {
                "arm": name,
                "seed": seed,
                "steps": options.steps,
                "pictures": options.pictures,
                "loss": f"{loss:.3f}",
            }
            row |= score(module, photos, options.draws) | {"seconds": round(time.perf_counter() - start)}
            append(log, row)
            print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    print("\n" + table(rows(log)))


def rows(log: Path) -> list[dict[str, str]]:
    if not log.exists():
        return []
    with log.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["seconds"]]  # a killed run may leave half a line


def append(log: Path, row: dict[str, Any]) -> None:
    new = not log.exists()
    with log.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerow(row)


def table(found: Sequence[dict[str, str]]) -> str:
    """Markdown: the median over seeds, and what it costs to leave something out."""
    by_arm: dict[str, list[dict[str, str]]] = {}
    for row in found:
        by_arm.setdefault(row["arm"], []).append(row)

    def median(arm: str, column: str) -> float:
        return statistics.median(float(row[column]) for row in by_arm[arm])

    lines = ["| trained on | error on portraits, % | more than with all | worst portrait, % | expected, % | runs |"]
    lines.append("|---|---|---|---|---|---|")
    for arm in sorted(by_arm, key=lambda arm: median(arm, "portraits")):
        more = f"{median(arm, 'portraits') - median('all', 'portraits'):+.2f}" if "all" in by_arm else ""
        values = [f"{median(arm, column):.2f}" for column in ("worst", "expected")]
        lines.append(f"| {arm} | {median(arm, 'portraits'):.2f} | {more} | {' | '.join(values)} | {len(by_arm[arm])} |")
    return "\n".join(lines)


class Kept(ZooDataModule):
    """Pictures that were rendered once and lie in memory."""

    def __init__(self, images: Tensor, landmarks: Tensor) -> None:
        super().__init__()
        self.images, self.landmarks = images, landmarks

    def dataset(self, split: str) -> BatchDataset:
        return _Kept(self.images, self.landmarks)


class _Kept(BatchDataset):
    def __init__(self, images: Tensor, landmarks: Tensor) -> None:
        self.images, self.landmarks = images, landmarks

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        which = [index % len(self) for index in indices]
        return {"image": self.images[which].float() / 255, "landmarks": self.landmarks[which]}


def rendered(count: int, seed: int, settings: dict[str, Any]) -> Kept:
    faces = ProceduralFaces(
        size=128, train=count, seed=seed, cache=False, flip=False, keys=("image", "landmarks"),
        pose=PoseRange(yaw=27, yaw_limit=65, pitch=13, pitch_limit=35, roll=12, roll_limit=35),
        camera=CameraRange(margin=1.6, shift=0.08, scale=0.2, careless=0), **settings,
    )  # fmt: skip
    source = faces.split("train")
    assert isinstance(source, BatchDataset)
    batches = [source.batch(range(first, min(first + 16, count))) for first in range(0, count, 16)]
    images = torch.cat([(batch["image"] * 255).round().byte() for batch in batches])
    return Kept(images, torch.cat([batch["landmarks"] for batch in batches]))


def trained(
    settings: dict[str, Any], seed: int, steps: int, pictures: int, start: Path | None = None
) -> tuple[FaceLandmarks, float]:
    """A network after so many steps, and its mean loss over the last tenth of them."""
    of_faces = {key: value for key, value in settings.items() if key != "corruptions"}
    of_crops = {key: value for key, value in settings.items() if key == "corruptions"}
    data = LandmarkCrops(rendered(pictures, seed, of_faces), seed=seed, **of_crops)
    source = data.split("train")
    assert isinstance(source, BatchDataset)
    torch.manual_seed(seed)
    module = FaceLandmarks()
    rate = 3e-3
    if start is not None:
        module.network.load_state_dict(load_network(start).state_dict())
        rate = 1.5e-3
    optimizer = torch.optim.Adam(module.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.08)
    order = torch.Generator().manual_seed(seed)
    losses = []
    for step in range(steps):
        which = torch.randint(pictures, (data.batch_size,), generator=order) + step * pictures
        batch = source.batch(which.tolist())
        with torch.autocast("cpu", torch.bfloat16):
            prediction = module(batch["image"])
        loss = module.total_loss(module.losses(prediction, batch))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return module.eval(), statistics.mean(losses[-max(1, steps // 10) :])


def score(module: FaceLandmarks, photos: Sequence[tuple[str, Tensor, Tensor]], draws: int) -> dict[str, str]:
    """Errors on photographs; medians over the draws of crops."""
    means, worsts, expected, scores = [], [], [], []
    for draw in range(draws):
        of_photos = []
        for _, image, points in photos:
            found = [find_landmarks(image, face, module.network) for face in bad_frames(points, 4, seed=draw)]
            of_photos.append(statistics.mean(float(errors(face.landmarks, points).mean()) for face in found))
            expected += [face.error or 0.0 for face in found]
            scores += [face.score for face in found]
        means.append(statistics.mean(of_photos))
        worsts.append(max(of_photos))
    values = {"portraits": means, "worst": worsts, "expected": expected, "score": scores}
    return {name: f"{statistics.median(value):.3f}" for name, value in values.items()}


if __name__ == "__main__":
    main()
