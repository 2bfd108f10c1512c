"""Pseudo-labels: written whole, read back, mixed with synthetic faces."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor
from torch.nn.functional import normalize

from datamodules import ImageFolder, ProceduralFaces, PseudoLabels, PseudoLabelWriter, SfSSupervision
from datamodules.pseudo_labels import write_pseudo_label
from zoo.contract import check
from zoo.errors import UserError
from zoo.imaging import write_image
from zoo.render.sh import shade

SIZE = 24


def label(seed: int, size: int = SIZE) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    random = torch.rand(3, 3, size, size, generator=generator)
    light = torch.zeros(3, 9)
    light[:, 0], light[:, 1:] = 2.5, 0.3 * torch.rand(3, 8, generator=generator)
    normal = normalize(random[1] - torch.tensor([0.5, 0.5, 0.0]).view(3, 1, 1), dim=0)
    mask = torch.ones(1, size, size)
    return {"image": random[0], "normal": normal, "albedo": random[2], "light": light, "mask": mask}


def folder_of(path: Path, count: int, size: int = SIZE) -> Path:
    for i in range(count):
        write_pseudo_label(path / f"{i:03d}.safetensors", label(i, size), f"photo {i}")
    return path


def test_round_trip(tmp_path: Path) -> None:
    data = PseudoLabels(folder_of(tmp_path, 3), ("image", "albedo", "normal", "light", "mask", "shading"))
    batch = data.batch([2, 0])
    check(batch)
    for row, seed in enumerate((2, 0)):
        truth = label(seed)
        assert (batch["image"][row] - truth["image"]).abs().max() < 0.51 / 255
        assert (batch["albedo"][row] - truth["albedo"]).abs().max() < 5e-4
        assert (batch["normal"][row] - truth["normal"]).abs().max() < 1e-3
        assert torch.equal(batch["light"][row], truth["light"])
    torch.testing.assert_close(batch["shading"], shade(batch["normal"], batch["light"]))


def test_memory_order_does_not_matter(tmp_path: Path) -> None:
    """Networks on a CPU answer with channels last."""
    truth = label(0)
    told = {**truth, **{key: truth[key][None].to(memory_format=torch.channels_last)[0] for key in ("normal", "albedo")}}
    write_pseudo_label(tmp_path / "a.safetensors", told)
    assert (PseudoLabels(tmp_path).batch([0])["normal"][0] - truth["normal"]).abs().max() < 1e-3


def test_files_are_small_and_whole(tmp_path: Path) -> None:
    path = write_pseudo_label(tmp_path / "deep" / "a.safetensors", label(0))
    assert path.stat().st_size < SIZE * SIZE * (4 + 2 * 6) + 1000
    assert [file.name for file in path.parent.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize(
    ("change", "words"),
    [({"albedo": None}, "albedo is missing"), ({"light": torch.nan}, "light that is not finite|not finite")],
)
def test_bad_predictions_are_not_written(tmp_path: Path, change: dict[str, float | None], words: str) -> None:
    sample = label(0)
    for key, value in change.items():
        if value is None:
            del sample[key]
        else:
            sample[key] = torch.full_like(sample[key], value)
    with pytest.raises(UserError, match=words):
        write_pseudo_label(tmp_path / "a.safetensors", sample)
    assert list(tmp_path.iterdir()) == []


def test_damage_is_told(tmp_path: Path) -> None:
    data = PseudoLabels(folder_of(tmp_path, 2))
    (tmp_path / "001.safetensors").write_bytes((tmp_path / "001.safetensors").read_bytes()[:-100])
    with pytest.raises(UserError, match=r"001.safetensors is damaged"):
        data.batch([0, 1])
    with pytest.raises(UserError, match="no pseudo-labels lie in"):
        PseudoLabels(tmp_path / "empty")


class Teacher(LightningModule):
    def predict_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        image = batch["image"]
        light = torch.zeros(len(image), 3, 9)
        light[:, :, 0] = 3
        normal = torch.zeros_like(image)
        normal[:, 2] = 1
        return {"albedo": image / 2, "normal": normal, "light": light, "shading": torch.ones_like(image)}


def test_written_while_a_model_predicts_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    for i in range(5):
        write_image(tmp_path / "photos" / f"{i}.png", torch.full((3, SIZE, SIZE), i / 10))
    data = ImageFolder(str(tmp_path / "photos"), size=SIZE, batch_size=2, faces="whole")
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[PseudoLabelWriter(str(tmp_path / "labels"))],
    )
    trainer.predict(Teacher(), data, return_predictions=False)
    labels = PseudoLabels(tmp_path / "labels")
    assert [file.stem for file in labels.files] == list("01234")
    batch = labels.batch(range(5))
    torch.testing.assert_close(batch["image"].mean((1, 2, 3)), torch.arange(5) / 10, atol=3e-3, rtol=0)
    torch.testing.assert_close(batch["albedo"], batch["image"] / 2, atol=1e-3, rtol=0)
    assert 0.2 < batch["mask"].mean() < 0.6


@pytest.mark.usefixtures("tiny_face")
def test_pictures_without_names_are_numbered(tmp_path: Path) -> None:
    """The last batch is a short one, and must not be written over an earlier one."""
    data = synthetic(test=5, batch_size=2)
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[PseudoLabelWriter(str(tmp_path))],
    )
    trainer.predict(Teacher(), data, return_predictions=False)
    labels = PseudoLabels(tmp_path)
    assert [file.stem for file in labels.files] == [f"{i:06d}" for i in range(5)]
    images = data.dataset("predict").batch(range(5))["image"]
    assert (labels.batch(range(5))["image"] - images).abs().max() < 0.51 / 255


def synthetic(**options: object) -> ProceduralFaces:
    return ProceduralFaces(**{"size": SIZE, "train": 12, "val": 4, "test": 4, "cache": False, **options})


@pytest.mark.usefixtures("tiny_face")
def test_batches_mix_both_kinds(tmp_path: Path) -> None:
    data = SfSSupervision(synthetic(), str(folder_of(tmp_path, 3)), real_share=0.25, batch_size=8)
    data.prepare_data()
    assert len(data.dataset("train")) == 16
    loader = data.train_dataloader()
    kinds = []
    for batch in loader:
        check(batch, ["image", "albedo", "shading", "normal", "light", "mask"])
        assert batch["is_real"].shape == (8,)
        kinds += batch["is_real"].tolist()
        # a pseudo-label's pictures are noise, so the flag can be held against what it flags
        rough = (batch["albedo"][..., 1:] - batch["albedo"][..., :-1]).abs().mean((1, 2, 3)) > 0.2
        assert torch.equal(rough, batch["is_real"] > 0.5)
    assert sum(kinds) == 4
    assert "is_real" not in next(iter(data.val_dataloader()))


@pytest.mark.usefixtures("tiny_face")
def test_epochs_get_round_to_all_real_faces(tmp_path: Path) -> None:
    mixed = SfSSupervision(synthetic(), str(folder_of(tmp_path, 9)), real_share=0.2, flip=False).dataset("train")
    seen = [mixed.batch([epoch * len(mixed) + i for i in range(12, 15)])["light"][:, 0, 1] for epoch in range(3)]
    assert len(torch.cat(seen).unique()) == 9


@pytest.mark.usefixtures("tiny_face")
@pytest.mark.parametrize(
    ("options", "size", "words"),
    [({"real_share": 1.0}, SIZE, "between 0 and 1"), ({}, 16, r"have 24 x 24 pixels and the pseudo-labels 16 x 16")],
)
def test_wrong_mixtures_are_told(tmp_path: Path, options: dict[str, float], size: int, words: str) -> None:
    with pytest.raises(UserError, match=words):
        SfSSupervision(synthetic(), str(folder_of(tmp_path, 1, size)), **options).dataset("train")
