"""What SfSNet's paper claims, tried on faces whose labels are known but not shown.

``python tests/experiments/sfs_supervision.py OUT --morphable ict:PATH``

Labelled faces are procedural and plain, as the paper's synthetic ones. The "real" ones, of another face model, wear
hair, hats and glasses and went through a camera; they are seen without labels and used again with them only to score.
These ways to use the unlabelled faces start from the same network:

- synthetic only: labelled faces alone;
- reconstruction only: the network goes on with the unlabelled faces and nothing but |S A - I|;
- reconstruction beside labels: both kinds in each batch, the unlabelled ones with |S A - I| alone;
- SfS-supervision: both kinds, the unlabelled ones with pseudo-labels, those of a SkipNet that saw labelled faces alone
  as in the paper, or those of the network itself.

Each goes on for as many steps, so that none wins by training longer. All are scored inside the outline of the face's
landmarks, which is the mask of unlabelled faces. Prints a Markdown table, the mean face of the labelled data as a
baseline, and writes a picture.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from datamodules import ProceduralFaces, SfSSupervision
from datamodules.base import BatchDataset
from datamodules.face_mask import mask_from_landmarks
from datamodules.faces.worn import WornRange
from datamodules.pseudo_labels import PseudoLabels, write_pseudo_label
from lightning_modules.base import Predictor
from lightning_modules.sfsnet.module import SfSNet
from zoo.imaging import contact_sheet, display, write_image

SIZE, WIDTH = 32, 24
FACES: dict[str, Any] = {"size": SIZE, "batch_size": 8, "seed": 0, "val": 16, "test": 256}
BARE = WornRange(hair=0, hats=0, glasses=0, hands=0, clothes=0, masks=0)
COLUMNS = {
    "normal_mean": "normal error (deg)",
    "normal_within_20": "within 20 deg (%)",
    "albedo_si_mse": "albedo si-MSE",
    "shading_si_mse": "shading si-MSE",
    "light_shading": "light (%)",
    "recon_psnr": "reconstruction (dB)",
}


class WithoutLabels(SfSNet):
    """SfSNet to whom an unlabelled face gives the reconstruction loss alone."""

    def losses(self, prediction: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Every term of labelled samples, one of unlabelled ones; sums over the same batch as in ``SfSNet``."""
        real = batch["is_real"] > 0.5
        terms: dict[str, Tensor] = {}
        for chosen, names in ((~real, None), (real, ("recon",))):
            if not bool(chosen.any()):
                continue
            part = super().losses(
                {k: v[chosen] for k, v in prediction.items()}, {k: v[chosen] for k, v in batch.items()}
            )
            for name in names or part:
                terms[name] = terms.get(name, torch.zeros(())) + part[name] * chosen.float().mean()
        return terms


def fit(model: SfSNet, data: pl.LightningDataModule, steps: int) -> SfSNet:
    """Train for a number of steps."""
    pl.seed_everything(0, verbose=False)
    trainer = pl.Trainer(
        max_steps=steps, logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu",
        enable_model_summary=False, limit_val_batches=0, num_sanity_val_steps=0,
    )  # fmt: skip
    began = time.perf_counter()
    trainer.fit(model, datamodule=data)
    print(f"  {type(model).__name__}, {steps} steps: {time.perf_counter() - began:.0f} s", flush=True)
    return model.eval()


def continued(kind: type[SfSNet], start: SfSNet) -> SfSNet:
    """A network that goes on from another one, a little more slowly."""
    model = kind(width=WIDTH, size=SIZE, lr=1.5e-3, schedule="cosine")
    model.load_state_dict(start.state_dict())
    return model


@torch.no_grad()
def score(model: Predictor | SfSNet, data: ProceduralFaces) -> dict[str, float]:
    """The metrics of SfSNet on the test faces."""
    metrics = SfSNet(width=4).metrics()
    for batch in data.test_dataloader():
        batch["mask"] = batch["mask"] * mask_from_landmarks(batch["landmarks"], SIZE, SIZE)
        metrics.update(model(batch["image"]) if isinstance(model, SfSNet) else model.predict(batch), batch)
    return {name: float(value) for name, value in metrics.compute().items()}


@torch.no_grad()
def label(teacher: SfSNet, data: ProceduralFaces, folder: Path) -> None:
    """Pseudo-labels of the unlabelled faces; their mask is that of their landmarks, as for portraits."""
    names = iter(range(10**6))
    for batch in data.train_dataloader():
        masks = mask_from_landmarks(batch["landmarks"], SIZE, SIZE)
        seen = teacher(batch["image"])
        for i in range(len(masks)):
            kept = {key: seen[key][i] for key in ("albedo", "normal", "light")}
            sample = {"image": batch["image"][i], "mask": masks[i], **kept}
            write_pseudo_label(folder / f"{next(names):06d}.safetensors", sample)


class RealAlone(SfSSupervision):
    """Only the unlabelled half of the mixture."""

    def dataset(self, split: str) -> BatchDataset:
        """As the mixture, all of it real."""
        return _Real(PseudoLabels(self.pseudo_labels, flip=True)) if split == "train" else super().dataset(split)


class _Real(BatchDataset):
    def __init__(self, faces: PseudoLabels) -> None:
        self.faces = faces

    def __len__(self) -> int:
        return len(self.faces)

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        return {**self.faces.batch(indices), "is_real": torch.ones(len(indices))}


def main() -> None:
    """Train, score, print, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--morphable", required=True, help="the face model of the unlabelled faces, such as ict:PATH")
    parser.add_argument("--train", type=int, default=3000, help="labelled faces")
    parser.add_argument("--real", type=int, default=2000, help="unlabelled faces")
    parser.add_argument("--steps", type=int, default=3000, help="of the teacher and of the common start")
    parser.add_argument("--more", type=int, default=2000, help="steps of each way to go on")
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="WAY", help="ways not to try")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    keys = ("image", "albedo", "shading", "normal", "light", "mask", "landmarks")
    plain: dict[str, Any] = {"occluders": 0.0, "effects": (), "worn": BARE, "detail": False}
    labelled = ProceduralFaces(train=arguments.train, keys=keys, **plain, **FACES)
    other = ProceduralFaces(train=arguments.real, morphable=arguments.morphable, keys=keys, **FACES)
    labelled.prepare_data()
    other.prepare_data()

    teacher = fit(SfSNet("skipnet", WIDTH, size=SIZE, lr=1e-3, schedule="cosine"), labelled, arguments.steps)
    start = fit(SfSNet(width=WIDTH, size=SIZE, lr=4e-3, schedule="cosine"), labelled, arguments.steps)
    for name, labeller in (("skipnet", teacher), ("own", start)):
        label(labeller, other, arguments.out / name)

    def mixture(kind: type[SfSSupervision] = SfSSupervision, labels: str = "skipnet") -> SfSSupervision:
        batch_size = 16 if kind is SfSSupervision else 8
        return kind(labelled, str(arguments.out / labels), real_share=0.5, batch_size=batch_size)

    ways: dict[str, tuple[type[SfSNet], pl.LightningDataModule]] = {
        "synthetic only": (SfSNet, labelled),
        "reconstruction only": (WithoutLabels, mixture(RealAlone)),
        "reconstruction beside labels": (WithoutLabels, mixture()),
        "SfS-supervision, SkipNet's labels": (SfSNet, mixture()),
        "SfS-supervision, own labels": (SfSNet, mixture(labels="own")),
    }
    models: dict[str, Predictor | SfSNet] = {
        **start.baselines(labelled),
        "SkipNet, the teacher": teacher,
        "common start": start,
    }
    for name, (kind, data) in ways.items():
        if name not in arguments.leave_out:
            models[name] = fit(continued(kind, start), data, arguments.more)
    for title, faces in (("unlabelled kind", other), ("labelled kind", labelled)):
        print(f"\n| {title}, held out | " + " | ".join(COLUMNS.values()) + " |\n|" + "---|" * (len(COLUMNS) + 1))
        for name, model in models.items():
            values = score(model, faces)
            print(f"| {name} | " + " | ".join(f"{values[column]:.4g}" for column in COLUMNS) + " |", flush=True)
    draw(models, other, arguments.out / "sfs_supervision.png")


@torch.no_grad()
def draw(models: Mapping[str, Predictor | SfSNet], data: ProceduralFaces, path: Path) -> None:
    """Normals, albedo and shading of some held-out faces by each network, the truth first."""
    batch = {key: value[:6] for key, value in next(iter(data.test_dataloader())).items()}
    mask = batch["mask"]
    rows = {
        "truth": batch,
        **{name: model(batch["image"]) for name, model in models.items() if isinstance(model, SfSNet)},
    }
    pictures, titles = [], []
    for name, layers in rows.items():
        for i in range(len(mask)):
            shown = [batch["image"][i]] + [
                display(key, layers[key], mask)[i] for key in ("normal", "albedo", "shading")
            ]
            pictures.append(torch.cat((torch.cat(shown[:2], -1), torch.cat(shown[2:], -1)), -2))
            titles.append(name)
    write_image(path, contact_sheet(pictures, titles, columns=6, tile=256))
    print(path)


if __name__ == "__main__":
    main()
