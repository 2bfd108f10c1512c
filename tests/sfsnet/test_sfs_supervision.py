"""The paper's recipe end to end, in small: a teacher, its labels for unlabelled portraits, joint training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datamodules import ProceduralFaces, PseudoLabels
from lightning_modules.sfsnet.module import SfSNet
from zoo.checkpoints import read_checkpoint
from zoo.cli import main
from zoo.imaging import write_image

SYNTHETIC = {"size": 32, "train": 8, "val": 4, "test": 4}


@pytest.fixture
def portraits(tmp_path: Path) -> Path:
    """Six face crops as a person would have them: pictures in a folder, no labels."""
    data = ProceduralFaces(**SYNTHETIC, seed=9, batch_size=6)
    data.prepare_data()
    batch = next(iter(data.train_dataloader()))
    for i, image in enumerate(batch["image"]):
        write_image(tmp_path / "portraits" / f"{i}.png", image)
    return tmp_path / "portraits"


@pytest.mark.slow
def test_three_stages(portraits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small = [f"--data.{key}={value}" for key, value in SYNTHETIC.items()]
    nested = [f"--data.synthetic.{key}={value}" for key, value in SYNTHETIC.items()]
    code = main(
        [
            "fit", "--model", "sfsnet", "--recipe", "paper", "--run", "run", "--logger", "csv",
            f"--data.folder={portraits}", "--data.faces=whole", *small, *nested, "--data.batch_size=4",
            "--model.width=4", "--trainer.max_steps=4", "--trainer.accumulate_grad_batches=1",
            "--trainer.enable_progress_bar=false",
        ]
    )  # fmt: skip
    assert code == 0

    labels = PseudoLabels(tmp_path / "run" / "pseudo_labels")
    assert len(labels) == 6
    sample = labels[0]
    torch.testing.assert_close(
        sample["normal"].norm(dim=0)[sample["mask"][0] > 0], torch.ones(int(sample["mask"].sum()))
    )

    teacher, student = (read_checkpoint(next(tmp_path.glob(f"run/{k}-*/checkpoints/best.ckpt"))) for k in (1, 3))
    assert teacher.hparams["network"] == "skipnet"
    assert SfSNet(**student.hparams).network.__class__.__name__ == "SfSNetNetwork"
