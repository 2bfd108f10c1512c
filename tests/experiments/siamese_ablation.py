"""What each term of the siamese network is for, on scenes made here.

``python tests/experiments/siamese_ablation.py OUT [--steps N] [--width W]``

All ways have the network, the data, the order of pairs and the steps of the quick recipe, and differ in what is named:

- all terms: the quick recipe;
- a weak embedding: a margin of 0.1 with the weight 0.1;
- without the embedding, or without gradients;
- coloured light: shading of three channels, with the embedding and without it, when a white albedo costs nothing;
- 50 % labelled: half of the training scenes tell albedo and shading.

Prints a Markdown table of held-out scenes with the trivial answers. Contrast is the spread (standard deviation) of the
albedo's brightness inside the mask as a part of its mean, 0 for a white sheet; chroma is the mean over pixels of the
sum over channels of |share of the channel - 1/3|, 0 for grey. Draws the first held-out scenes by every way.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from datamodules import ProceduralScenes
from lightning_modules.base import Predictor
from lightning_modules.siamese_intrinsic.module import SiameseIntrinsic
from zoo.cards import CONFIGS, read_yaml
from zoo.imaging import contact_sheet, display, write_image

COLUMNS = {
    "albedo_si_mse": "albedo si-MSE",
    "albedo_si_lmse": "albedo si-LMSE",
    "shading_si_mse": "shading si-MSE",
    "contrast": "contrast",
    "chroma": "chroma",
}
WAYS: dict[str, tuple[dict[str, Any], float]] = {
    "all terms": ({}, 1.0),
    "a weak embedding": ({"weight_embedding": 0.1, "margin": 0.1}, 1.0),
    "without the embedding": ({"weight_embedding": 0.0}, 1.0),
    "without gradients": ({"weight_gradient": 0.0}, 1.0),
    "coloured light": ({"shading_channels": 3}, 1.0),
    "coloured light, without the embedding": ({"shading_channels": 3, "weight_embedding": 0.0}, 1.0),
    "50 % labelled": ({"weight_supervised": 1.0}, 0.5),
}
"""What differs from the quick recipe's arguments, and the labelled share of the scenes."""


class Truth:
    """Knows the answer."""

    def predict(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Albedo and shading of the batch."""
        return {"albedo": batch["albedo"], "shading": batch["shading"]}


class Trained:
    """A network as it answers one picture."""

    def __init__(self, model: SiameseIntrinsic) -> None:
        self.model = model.eval().cpu()

    def predict(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The outputs for the batch's pictures."""
        return self.model(batch["image"])


def fit(name: str, model: SiameseIntrinsic, data: ProceduralScenes, length: dict[str, Any]) -> Trained:
    """Train as long as the others."""
    trainer = pl.Trainer(
        **length, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        limit_val_batches=0, num_sanity_val_steps=0,
    )  # fmt: skip
    began = time.perf_counter()
    trainer.fit(model, datamodule=data)
    print(f"  {name}, {trainer.global_step} steps: {time.perf_counter() - began:.0f} s", flush=True)
    return Trained(model)


@torch.no_grad()
def score(answer: Predictor, data: ProceduralScenes) -> dict[str, float]:
    """The module's metrics, contrast and chroma on the test scenes."""
    metrics = SiameseIntrinsic(width=2).metrics()
    contrast, chroma = [], []
    for batch in data.test_dataloader():
        prediction = answer.predict(batch)
        metrics.update(prediction, batch)
        for albedo, mask in zip(prediction["albedo"], batch["mask"], strict=True):
            colours = albedo[:, mask[0] > 0.5]
            grey = colours.mean(0)
            if len(grey) > 1:
                contrast.append(float(grey.std() / grey.mean().clamp_min(1e-6)))
                shares = colours / colours.sum(0).clamp_min(1e-6)
                chroma.append(float((shares - 1 / 3).abs().sum(0).mean()))
    values = {key: float(value) for key, value in metrics.compute().items()}
    return {**values, "contrast": sum(contrast) / len(contrast), "chroma": sum(chroma) / len(chroma)}


@torch.no_grad()
def draw(answers: Mapping[str, Predictor], data: ProceduralScenes, path: Path, count: int) -> None:
    """One row a way: albedo and shading of the same pictures; the pictures themselves come first."""
    batch = {key: value[:count] for key, value in next(iter(data.test_dataloader())).items()}
    pictures, titles = list(batch["image"]) * 2, ["picture"] * (2 * len(batch["image"]))
    for name, answer in answers.items():
        prediction = answer.predict(batch)
        for key in ("albedo", "shading"):
            scaled = same_brightness(prediction[key], batch[key], batch["mask"])
            pictures += list(display(key, scaled, batch["mask"]))
            titles += [f"{name}: {key}"] * len(scaled)
    write_image(path, contact_sheet(pictures, titles, columns=2 * len(batch["image"]), tile=160))


def same_brightness(value: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Bring a layer to the truth's mean, so that ways of different scale can be compared by eye."""
    means = [
        (mask * each).sum((1, 2, 3), keepdim=True) / (mask.sum((1, 2, 3), keepdim=True) * each.shape[1])
        for each in (value, target)
    ]
    return value * means[1] / means[0].clamp_min(1e-6)


def main() -> None:
    """Train, score, print, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, help="of each way; by default the epochs of the quick recipe")
    parser.add_argument("--width", type=int, help="channels of the first convolution")
    parser.add_argument("--train", type=int, help="training scenes")
    parser.add_argument("--test", type=int, help="held-out scenes")
    parser.add_argument("--only", nargs="*", choices=list(WAYS), metavar="WAY", help="leave out the other ways")
    arguments = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    recipe = read_yaml(CONFIGS / "siamese_intrinsic" / "quick.yaml")
    model = {**recipe["model"]["init_args"], **given(arguments, "width")}
    scenes = {**recipe["data"]["init_args"], **given(arguments, "train", "test")}
    epochs = recipe["trainer"]["max_epochs"]
    length = {"max_steps": arguments.steps} if arguments.steps else {"max_epochs": epochs}

    held_out = ProceduralScenes(**scenes)
    held_out.prepare_data()
    answers: dict[str, Predictor] = {"truth": Truth(), **SiameseIntrinsic(width=2).baselines(held_out)}
    for name, (changes, labelled) in WAYS.items():
        if not arguments.only or name in arguments.only:
            pl.seed_everything(0, verbose=False)
            data = ProceduralScenes(**{**scenes, "labelled": labelled})
            answers[name] = fit(name, SiameseIntrinsic(**{**model, **changes}), data, length)
    print("\n| held-out scenes | " + " | ".join(COLUMNS.values()) + " |\n|" + "---|" * (len(COLUMNS) + 1))
    for name, answer in answers.items():
        values = score(answer, held_out)
        print(f"| {name} | " + " | ".join(f"{values[column]:.4g}" for column in COLUMNS) + " |", flush=True)
    path = arguments.out / "siamese_ablation.png"
    draw(answers, held_out, path, 4)
    print(path)


def given(arguments: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Those arguments that were given."""
    return {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}


if __name__ == "__main__":
    main()
