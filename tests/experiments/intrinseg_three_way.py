"""Whether decomposition and segmentation help each other, tried on procedural gardens.

    OMP_NUM_THREADS=1 python tests/experiments/intrinseg_three_way.py OUT
    OMP_NUM_THREADS=1 python tests/experiments/intrinseg_three_way.py OUT --steps 2000 --width 16 --seeds 0 1 2

IntrinSeg's paper says that one network for both tasks beats a network for each, and that classes are told better from
reflectance than from the picture. These are trained on the same gardens, in the same order, for as many steps:

- joint: all three decoders;
- intrinsics only: reflectance and shading;
- segmentation only: classes;
- segmentation of reflectance: classes, but the network sees the true reflectance in place of the picture (where there
  is none, in the sky and where the picture is burnt out, it sees the picture).

The last one is told more than any other, and is no rival of them. Classes are scored on all pixels that have one, and
once more where the picture has a reflectance, which leaves out the sky. An arm is kept as a file when it ends; called
again, the script goes on with what is missing. Prints a Markdown table, the mean over seeds and the range of all, with
the trivial answers as baselines; writes ``three_way.json`` and ``three_way.png``.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from datamodules import ProceduralScenes
from lightning_modules.base import Predictor
from lightning_modules.intrinseg.module import IntrinSeg
from zoo.contract import IGNORE
from zoo.imaging import BACKGROUND, display, linear_to_srgb, panel, write_image

KEYS = ("image", "albedo", "shading", "mask", "segmentation")
INTRINSICS, CLASSES = ("reflectance", "shading"), ("class",)
COLUMNS = {
    "albedo_si_mse": "albedo si-MSE",
    "albedo_si_lmse": "albedo si-LMSE",
    "albedo_dssim": "albedo DSSIM",
    "shading_si_mse": "shading si-MSE",
    "shading_si_lmse": "shading si-LMSE",
    "shading_dssim": "shading DSSIM",
    "miou": "mIoU",
    "pixel_accuracy": "pixel accuracy",
    "class_accuracy": "class accuracy",
    "miou_lit": "mIoU without sky",
    "pixel_accuracy_lit": "pixel accuracy without sky",
}


class OfReflectance(IntrinSeg):
    """IntrinSeg that is shown the true reflectance."""

    def answer(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The prediction for the reflectance as a picture."""
        reflectance = linear_to_srgb(batch["albedo"].clamp(0, 1))
        return self(reflectance.where(batch["mask"] > 0.5, batch["image"]))


ARMS: dict[str, tuple[type[IntrinSeg], tuple[str, ...]]] = {
    "joint": (IntrinSeg, (*INTRINSICS, *CLASSES)),
    "intrinsics only": (IntrinSeg, INTRINSICS),
    "segmentation only": (IntrinSeg, CLASSES),
    "segmentation of reflectance": (OfReflectance, CLASSES),
}


def gardens(options: argparse.Namespace) -> ProceduralScenes:
    """The data of all arms."""
    return ProceduralScenes(
        height=options.height, width=options.picture_width, train=options.train, val=1, test=options.test,
        batch_size=options.batch, kind="gardens", keys=KEYS,
    )  # fmt: skip


def model_of(arm: str, options: argparse.Namespace) -> IntrinSeg:
    """An untrained network."""
    kind, targets = ARMS[arm]
    return kind(
        targets=targets,  # type: ignore[arg-type]
        width=options.width, normalise="max", shading_scale=4.0, lr=options.lr, schedule="cosine",
        gamma_r=options.gamma_r, gamma_s=options.gamma_s, gamma_ce=options.gamma_ce,
    )  # fmt: skip


def train(arm: str, seed: int, options: argparse.Namespace) -> tuple[IntrinSeg, float]:
    """A trained network, and the seconds that it took; the seed is that of its first weights."""
    pl.seed_everything(seed, verbose=False)
    model = model_of(arm, options)
    trainer = pl.Trainer(
        max_steps=options.steps, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, limit_val_batches=0, num_sanity_val_steps=0, accelerator="cpu",
    )  # fmt: skip
    began = time.perf_counter()
    trainer.fit(model, datamodule=gardens(options))
    return model.eval(), time.perf_counter() - began


@torch.no_grad()
def score(model: Predictor | IntrinSeg, data: ProceduralScenes, asked: IntrinSeg) -> dict[str, float]:
    """The metrics of ``asked`` on the test scenes; those of classes also where there is a reflectance (``_lit``)."""
    metrics, lit = asked.metrics(), asked.metrics()
    for batch in data.test_dataloader():
        prediction = model.answer(batch) if isinstance(model, IntrinSeg) else model.predict(batch)
        metrics.update(prediction, batch)
        there = batch["mask"][:, 0] > 0.5
        lit.update(prediction, {**batch, "segmentation": batch["segmentation"].where(there, IGNORE)})
    values = {name: float(value) for name, value in metrics.compute().items()}
    return values | {f"{name}_lit": float(value) for name, value in lit.compute().items()}


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What an arm depends on."""
    return {key: value for key, value in vars(options).items() if key not in ("out", "seeds", "arms")}


def stem(arm: str, seed: int, options: argparse.Namespace) -> Path:
    """Where an arm's files lie, without their ending."""
    folder: Path = options.out / "arms"
    return folder / f"{arm.replace(' ', '-')}-{seed}"


def run(arm: str, seed: int, options: argparse.Namespace, data: ProceduralScenes) -> dict[str, Any]:
    """An arm's row, from its file where it is there already."""
    place = stem(arm, seed, options)
    done = place.with_suffix(".json")
    if done.exists():
        row: dict[str, Any] = json.loads(done.read_text())
        if row["settings"] == settings(options):
            return row
        raise SystemExit(f"{done} was made with other settings; give another folder, or delete it.")
    place.parent.mkdir(parents=True, exist_ok=True)
    model, seconds = train(arm, seed, options)
    model.save_pretrained(place.with_suffix(".safetensors"))
    parameters = sum(p.numel() for p in model.parameters())
    row = {"arm": arm, "seed": seed, "parameters": parameters, "seconds": round(seconds), "settings": settings(options)}
    row["metrics"] = score(model, data, model)
    done.write_text(json.dumps(row, indent=2) + "\n")
    print(f"{arm}, seed {seed}: {seconds:.0f} s", flush=True)
    return row


def table(rows: Sequence[Mapping[str, Any]], baselines: Mapping[str, Mapping[str, float]]) -> str:
    """Markdown: metrics downwards, arms and baselines across."""
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    lines = [
        f"| held-out gardens | {' | '.join([*arms, *baselines])} |",
        "|---|" + "---|" * (len(arms) + len(baselines)),
    ]
    for key, title in COLUMNS.items():
        cells = []
        for arm in arms:
            values = [row["metrics"][key] for row in rows if row["arm"] == arm and key in row["metrics"]]
            cells.append(spread(values))
        cells += [spread([each[key]]) for each in baselines.values()]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(values: Sequence[float]) -> str:
    """The mean, and the range where there are several."""
    if not values:
        return "-"
    mean = f"{sum(values) / len(values):.4g}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.4g} to {max(values):.4g})"


@torch.no_grad()
def draw(options: argparse.Namespace, data: ProceduralScenes, count: int = 3) -> Path:
    """Some test scenes as the joint network and those of one task see them, of the first seed, beside the truth."""
    batch = {key: value[:count] for key, value in next(iter(data.test_dataloader())).items()}
    alone: dict[str, Tensor] = {}
    for arm in ("intrinsics only", "segmentation only"):
        alone |= answer_of(arm, options, batch)
    answers = {"truth": batch, "joint": answer_of("joint", options, batch), "each task alone": alone}
    keys = ("albedo", "shading", "segmentation")
    columns: dict[str, list[Tensor]] = {"image": [], **{name: [] for name in answers}}
    for i in range(count):
        for key in keys:
            columns["image"].append(batch["image"][i : i + 1])
            mask = None if key == "segmentation" else batch["mask"][i : i + 1]
            for name, answer in answers.items():
                missing = torch.full_like(batch["image"][:1], BACKGROUND)
                columns[name].append(display(key, answer[key][i : i + 1], mask) if key in answer else missing)
    path: Path = options.out / "three_way.png"
    write_image(path, panel({name: torch.cat(each) for name, each in columns.items()}, rows=keys * count))
    return path


def answer_of(arm: str, options: argparse.Namespace, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a trained arm says to a batch; nothing where it was not trained."""
    path = stem(arm, options.seeds[0], options).with_suffix(".safetensors")
    return IntrinSeg.from_pretrained(path).answer(batch) if arm in options.arms else {}


def main() -> None:
    """Train what is missing, score, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=800, help="of each arm")
    parser.add_argument("--width", type=int, default=7, help="of the network; the paper has 16")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), metavar="ARM")
    parser.add_argument("--height", type=int, default=96, help="of the pictures")
    parser.add_argument("--picture-width", type=int, default=128)
    parser.add_argument("--train", type=int, default=800, help="training scenes")
    parser.add_argument("--test", type=int, default=64, help="test scenes")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--gamma-r", type=float, default=20.0, help="weight of the reflectance")
    parser.add_argument("--gamma-s", type=float, default=0.2, help="weight of the shading")
    parser.add_argument("--gamma-ce", type=float, default=0.1, help="weight of the cross entropy")
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    data = gardens(options)
    data.prepare_data()
    rows = [run(arm, seed, options, data) for seed in options.seeds for arm in options.arms]
    asked = model_of("joint", options)
    baselines = {name: score(answer, data, asked) for name, answer in asked.baselines(data).items()}
    print(f"\n{table(rows, baselines)}\n")
    content = {"rows": rows, "baselines": baselines}
    (options.out / "three_way.json").write_text(json.dumps(content, indent=2) + "\n")
    print(draw(options, data))


if __name__ == "__main__":
    main()
