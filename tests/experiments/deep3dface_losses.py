"""What the image level and the perception level of Deep3DFace's loss are for, on faces made here.

    python tests/experiments/deep3dface_losses.py OUT
    python tests/experiments/deep3dface_losses.py OUT --weights FILE --steps 3000 --data.faces.train 20000

All ways start from the same weights, see the same batches in the same order, and take as many steps. Landmarks and
regularisation stay in all of them, because the pose diverges without landmarks; what differs is named:

- landmarks: nothing else;
- image level: the photometric loss;
- perception level: what the recognition network says;
- hybrid: both, as in the paper.

The start is ``--weights``, or ``--warm`` steps with landmarks and regularisation alone. Prints a Markdown table of
held-out faces beside the start and the mean face: mean distance of the vertices of the face's front after the best
similarity, with the expression and without it (mm), colours of the skin's vertices (root mean square, % of white),
colours of the picture (mean distance), landmarks (% of the distance between the outer eye corners) and the cosine of
the recognition network, which is the one that the perception level was trained by. Draws the first held-out faces by
every way: one panel each, and all of them in ``deep3dface_losses.png``.
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

import zoo
from datamodules import AlignedFaces
from lightning_modules.base import Predictor
from lightning_modules.deep3dface.module import Deep3DFace
from zoo.imaging import panel, write_image
from zoo.recipes import find_data
from zoo.training.data import make_data

COLUMNS = {
    "face_error": "shape error, mm",
    "neutral_error": "without expression, mm",
    "skin_error": "skin error, %",
    "photometric_error": "photometric error",
    "nme": "NME, %",
    "identity_cosine": "identity cosine",
}
PAPER = {"weight_photometric": 1.92, "weight_perceptual": 0.2}
WAYS: dict[str, dict[str, float]] = {
    "landmarks": {"weight_photometric": 0.0, "weight_perceptual": 0.0},
    "image level": {"weight_perceptual": 0.0},
    "perception level": {"weight_photometric": 0.0},
    "hybrid": {},
}
"""What is taken away from the paper's weights."""


class Trained:
    """A network as it answers a batch of held-out faces."""

    def __init__(self, module: Deep3DFace) -> None:
        self.module = module.eval()

    def predict(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Coefficients, and the face that is drawn from them."""
        return self.module.answer(batch)


def start(options: argparse.Namespace, data: AlignedFaces) -> Deep3DFace:
    """What all ways begin from."""
    if options.weights:
        module = zoo.load("deep3dface", options.weights, perception=options.perception)
        assert isinstance(module, Deep3DFace)
        return module
    pl.seed_everything(0, verbose=False)
    module = Deep3DFace(
        backbone=options.backbone, size=data.size, perception=options.perception, lr=options.lr,
        weight_photometric=0.0, weight_perceptual=0.0,
    )  # fmt: skip
    fit("start", module, data, options.warm, options)
    return module


def continued(way: str, begun: Deep3DFace, data: AlignedFaces, options: argparse.Namespace) -> Deep3DFace:
    """The start, trained on by one way."""
    pl.seed_everything(1, verbose=False)
    training = {"learn": "single", "backbone_weights": None, "lr": options.lr, "schedule": "cosine"}
    module = Deep3DFace(**{**begun.hparams, **training, **PAPER, **WAYS[way]})
    module.load_state_dict(begun.state_dict())
    fit(way, module, data, options.steps, options)
    return module


def fit(name: str, module: Deep3DFace, data: AlignedFaces, steps: int, options: argparse.Namespace) -> None:
    """Train for some steps."""
    trainer = pl.Trainer(
        max_steps=steps, max_epochs=-1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, limit_val_batches=0, num_sanity_val_steps=0, gradient_clip_val=1.0,
        accelerator="gpu" if options.device == "cuda" else "cpu", devices=1,
    )  # fmt: skip
    began = time.perf_counter()
    trainer.fit(module.train(), datamodule=data)
    print(f"  {name}, {trainer.global_step} steps: {time.perf_counter() - began:.0f} s", flush=True)


@torch.no_grad()
def score(answer: Predictor, data: AlignedFaces, asked: Deep3DFace) -> dict[str, float]:
    """The metrics of ``asked`` on the test faces."""
    metrics = asked.metrics().to(asked.device)
    for batch in data.test_dataloader():
        there = {name: value.to(asked.device) for name, value in batch.items()}
        metrics.update(answer.predict(there), there)
    return {name: float(value) for name, value in metrics.compute().items()}


@torch.no_grad()
def draw(answers: Mapping[str, Predictor], data: AlignedFaces, asked: Deep3DFace, folder: Path, count: int) -> None:
    """A panel a way, and one with the faces of all ways side by side, above their shapes."""
    whole = next(iter(data.test_dataloader()))
    places = first_of_each(whole["person"])[:count] if "person" in whole else torch.arange(count)
    batch = {name: value[places].to(asked.device) for name, value in whole.items()}
    columns = {"picture": batch["image"].repeat(2, 1, 1, 1)}
    for way, answer in answers.items():
        panels = asked.panels(answer.predict(batch), batch)
        write_image(folder / f"deep3dface_losses_{way.replace(' ', '_')}.png", panel(panels))
        columns[way] = torch.cat((panels["drawn"], panels["shape"]))
    write_image(folder / "deep3dface_losses.png", panel(columns))


def first_of_each(person: Tensor) -> Tensor:
    """Places of the first picture of each person, whose pictures lie side by side."""
    counts = torch.unique_consecutive(person, return_counts=True)[1]
    return counts.cumsum(0) - counts


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, score, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", help="what all ways start from: a tag or a file of deep3dface")
    parser.add_argument("--warm", type=int, default=300, help="steps of the start, where there are no weights")
    parser.add_argument("--steps", type=int, default=300, help="of each way")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--backbone", default="regnetx_002", help="where there are no weights")
    parser.add_argument("--perception", default="embedded", help="the recognition network: embedded, or arcface:PATH")
    parser.add_argument("--data", default="aligned_faces", help="a name under configs/data, or a file like those")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cpu", "cuda"))
    parser.add_argument("--only", nargs="*", choices=list(WAYS), metavar="WAY", help="leave out the other ways")
    options, overrides = parser.parse_known_args(arguments)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    options.out.mkdir(parents=True, exist_ok=True)

    def faces() -> AlignedFaces:
        file = Path(options.data)
        data: Any = make_data(file if file.suffix == ".yaml" else find_data(options.data), overrides)
        return data

    held_out = faces()
    held_out.prepare_data()
    begun = start(options, faces()).to(options.device).eval()
    answers: dict[str, Predictor] = {**begun.baselines(held_out), "start": Trained(begun)}
    for way in WAYS:
        if not options.only or way in options.only:
            answers[way] = Trained(continued(way, begun, faces(), options).to(options.device))
    print("\n| held-out faces | " + " | ".join(COLUMNS.values()) + " |\n|" + "---|" * (len(COLUMNS) + 1))
    for name, answer in answers.items():
        values = score(answer, held_out, begun)
        print(f"| {name} | " + " | ".join(f"{values[column]:.4g}" for column in COLUMNS) + " |", flush=True)
    draw(answers, held_out, begun, options.out, 4)
    print(options.out / "deep3dface_losses.png")


if __name__ == "__main__":
    main()
