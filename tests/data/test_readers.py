"""Readers of real data sets, each on a tiny fake in the data set's true layout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from datamodules import CelebA, ImageFolder, SfSNetSynthetic
from datamodules.about import about
from datamodules.face_mask import ellipse_mask, mask_from_landmarks
from datamodules.sfsnet_synthetic import display_to_linear_light
from zoo.contract import check
from zoo.errors import UserError
from zoo.faces import crop_box_from_landmarks
from zoo.imaging import linear_to_srgb, srgb_to_linear, write_image
from zoo.render.sh import ambient_light, light_to_sfsnet, sfsnet_to_light, shade

# SfSNet's synthetic set


@pytest.fixture
def sfsnet_folder(tmp_path: Path) -> Path:
    """Four groups of two samples: balls under light, encoded as the release encodes them."""
    generator = torch.Generator().manual_seed(0)
    size = 24
    line = (torch.arange(size) + 0.5) / size * 2.4 - 1.2
    x, y = line[None, :].expand(size, size), -line[:, None].expand(size, size)
    mask = (x * x + y * y < 0.9).float()
    normal = normalize(torch.stack((x, y, (1 - x * x - y * y).clamp_min(1e-3).sqrt())), dim=0)
    for group in range(4):
        folder = tmp_path / f"{group:04d}"
        folder.mkdir()
        for pose in ("1_3", "2_5"):
            light = torch.zeros(1, 3, 9)
            light[:, :, 0], light[:, :, 1:4] = 1.6, 0.5 * (torch.rand(1, 3, 3, generator=generator) - 0.3)
            albedo = torch.tensor([0.7, 0.55, 0.45]).view(3, 1, 1) * mask
            shading = shade(normal[None], light)[0]
            stem, numbers = folder / f"{group:06d}", light_to_sfsnet(light)[0].tolist()
            for kind, value in {
                "face": (albedo * shading).clamp(0, 1),
                "albedo": albedo * 256 / 255,
                "normal": (normal + 1) / 2 * 256 / 255,
                "mask": mask[None].expand(3, -1, -1),
                "depth": mask[None],
            }.items():
                write_image(f"{stem}_{kind}_{pose}.png", value)
            Path(f"{stem}_light_{pose}.txt").write_text("\t".join(f"{v:.6f}" for v in numbers))
    return tmp_path


def test_sfsnet_synthetic_becomes_the_contract(sfsnet_folder: Path) -> None:
    data = SfSNetSynthetic(str(sfsnet_folder), size=24, batch_size=2, num_workers=0)
    data.prepare_data()
    batch = next(iter(data.val_dataloader()))
    check(batch, ["image", "albedo", "shading", "normal", "light", "mask"])
    inside = batch["mask"] > 0
    assert inside.float().mean() > 0.4
    error = (srgb_to_linear(batch["image"]) - batch["albedo"] * batch["shading"]).abs() * batch["mask"]
    assert error.max() < 1e-5
    # the albedo that the release has as 0.7 of 1, displayed, is 0.448 in linear light
    assert batch["albedo"][:, 0][inside[:, 0]].mean().item() == pytest.approx(0.448, abs=0.01)
    upper, lower = batch["normal"][0, 1, 4, 12], batch["normal"][0, 1, -5, 12]
    assert upper > 0.5 > -0.5 > lower
    # nine numbers hold the decoded shading nearly
    seen = batch["shading"]
    fitted = shade(batch["normal"], batch["light"]) * batch["mask"]
    assert ((fitted - seen).abs() / seen.clamp_min(0.1))[inside.expand_as(seen)].mean() < 0.1


def test_sfsnet_synthetic_in_the_authors_values(sfsnet_folder: Path) -> None:
    data = SfSNetSynthetic(str(sfsnet_folder), size=24, batch_size=2, num_workers=0, light="display")
    batch = next(iter(data.test_dataloader()))
    displayed = linear_to_srgb(batch["albedo"]) * shade(batch["normal"], batch["light"])
    error = (displayed.clamp(0, 1) - batch["image"]).abs() * batch["mask"]
    assert error.max() < 0.04  # normals have 8 bits


def test_sfsnet_synthetic_shares_groups_out(sfsnet_folder: Path) -> None:
    data = SfSNetSynthetic(str(sfsnet_folder), size=16, num_workers=0)
    groups = {split: {s.folder.name for s in data.dataset(split).samples} for split in ("train", "val", "test")}
    assert [len(groups[split]) for split in ("train", "val", "test")] == [2, 1, 1]
    assert len(set.union(*groups.values())) == 4
    assert all(len(data.dataset(split)) == 2 * len(groups[split]) for split in groups)


def test_sfsnet_synthetic_reduces_normals_to_unit_length(sfsnet_folder: Path) -> None:
    data = SfSNetSynthetic(str(sfsnet_folder), size=11, num_workers=0)
    batch = data.dataset("train").batch([0, 1, 5])
    length = batch["normal"].norm(dim=1, keepdim=True)
    torch.testing.assert_close(length * batch["mask"], batch["mask"])


def test_sfsnet_synthetic_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError) as told:
        SfSNetSynthetic(str(tmp_path / "no")).prepare_data()
    for words in ("there is no folder", "research only", "request", "_light_<i>_<j>.txt"):
        assert words in str(told.value)


def test_sfsnet_synthetic_damaged_light(sfsnet_folder: Path) -> None:
    for file in sfsnet_folder.glob("*/*_light_1_3.txt"):
        file.write_text("1 2 3")
    data = SfSNetSynthetic(str(sfsnet_folder), size=16, num_workers=0)
    with pytest.raises(UserError, match="holds 3 numbers, and light has 27"):
        data.dataset("train").batch([0])


def test_display_light_of_one_brightness_is_decoded_exactly() -> None:
    displayed = ambient_light(torch.tensor([[0.5, 0.2, 0.8]]))
    expected = ambient_light(srgb_to_linear(torch.tensor([[0.5, 0.2, 0.8]])))
    torch.testing.assert_close(display_to_linear_light(displayed), expected, atol=1e-4, rtol=0)


def test_real_label_line_of_the_sheet() -> None:
    line = (
        "0.781806 0.199752 -0.435679 0.078488 -0.471495 -0.048644 0.146106 0.267108 -0.258741 "
        "0.563853 0.168981 -0.525942 0.052606 -0.426311 0.018291 0.099965 0.307103 -0.188179 "
        "0.502128 0.178818 -0.473586 0.044422 -0.400359 -0.005607 0.088217 0.302230 -0.149750"
    )
    light = sfsnet_to_light(torch.tensor([[float(word) for word in line.split()]]))
    facing = shade(torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1), light).flatten()
    torch.testing.assert_close(facing, torch.tensor([0.663683, 0.461423, 0.429644]), atol=1e-5, rtol=0)


# CelebA

POINTS = [[69.0, 109.0], [106.0, 113.0], [77.0, 142.0], [73.0, 152.0], [108.0, 154.0]]


@pytest.fixture
def celeba_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    names = [f"{i:06d}.jpg" for i in range(1, 8)]
    y, x = torch.meshgrid(torch.arange(218), torch.arange(178), indexing="ij")
    for i, name in enumerate(names):
        picture = torch.stack((x / 177, y / 217, torch.full((218, 178), i / 10)))
        write_image(folder / "img_align_celeba" / name, picture)
    rows = [f"{name}  " + "  ".join(f"{int(v):3d}" for point in POINTS for v in point) for name in names]
    header = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"
    (folder / "list_landmarks_align_celeba.txt").write_text("\n".join([str(len(names)), header, *rows, ""]))
    parts = [f"{name} {0 if i < 4 else 1 if i < 6 else 2}" for i, name in enumerate(names)]
    (folder / "list_eval_partition.txt").write_text("\n".join([*parts, ""]))
    return folder


def test_celeba(celeba_folder: Path) -> None:
    data = CelebA(str(celeba_folder), size=32, batch_size=2)
    data.prepare_data()
    batches = {split: data.dataset(split) for split in ("train", "val", "test", "predict")}
    assert [len(d) for d in batches.values()] == [4, 2, 1, 4]
    batch = next(iter(data.val_dataloader()))
    check(batch, ["image", "mask"])
    assert batch["name"] == ["000005.jpg", "000006.jpg"]
    # red runs from left to right over the photo, so its mean tells where the crop lies
    x, y, side = crop_box_from_landmarks(torch.tensor(POINTS)).tolist()
    assert batch["image"][0, 0].mean().item() * 177 == pytest.approx(x, abs=2)
    assert batch["image"][0, 1].mean().item() * 217 == pytest.approx(y, abs=2)
    spread = batch["image"][0, 1, -1].mean() - batch["image"][0, 1, 0].mean()
    assert spread.item() * 217 == pytest.approx(side * 31 / 32, abs=3)
    torch.testing.assert_close(batch["mask"][0], ellipse_mask(32))


def test_celeba_with_68_points(celeba_folder: Path) -> None:
    points = round_face(90, 120, 40)
    lines = [f"{i:06d}.jpg " + " ".join(f"{v:.1f}" for v in points.flatten().tolist()) for i in range(1, 8)]
    file = celeba_folder / "points.txt"
    file.write_text("\n".join(lines))
    batch = CelebA(str(celeba_folder), size=32, landmarks68=str(file), limit=2).dataset("test").batch([0])
    assert 0.2 < batch["mask"].mean() < 0.8
    assert not torch.equal(batch["mask"][0], ellipse_mask(32))


@pytest.mark.parametrize(
    "name", ["list_eval_partition.txt", "list_landmarks_align_celeba.txt", "img_align_celeba/000002.jpg"]
)
def test_celeba_missing(celeba_folder: Path, name: str) -> None:
    (celeba_folder / name).unlink()
    with pytest.raises(UserError) as told:
        CelebA(str(celeba_folder), size=16).prepare_data()
    for words in (name, "non-commercial", "mmlab.ie.cuhk.edu.hk", "img_align_celeba/000001.jpg"):
        assert words in str(told.value)


def test_celeba_damaged_list(celeba_folder: Path) -> None:
    (celeba_folder / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg\n")
    with pytest.raises(UserError, match=r"list_eval_partition.txt, line 2: 1 words where 2 are expected"):
        CelebA(str(celeba_folder)).prepare_data()


# Masks from landmarks


def round_face(x: float, y: float, radius: float) -> torch.Tensor:
    """68 points of a round face: the jaw is the lower half of a circle."""
    points = torch.zeros(68, 2)
    angle = torch.linspace(0, torch.pi, 17)
    points[:17] = torch.stack((x - radius * angle.cos(), y + radius * angle.sin()), -1)
    points[17:27] = torch.stack(
        (torch.linspace(x - 0.7 * radius, x + 0.7 * radius, 10), torch.full((10,), y - 0.4 * radius)), -1
    )
    points[27:36] = torch.tensor([x, y])
    for eye, side in ((slice(36, 42), -1), (slice(42, 48), 1)):
        points[eye] = torch.tensor([x + side * 0.4 * radius, y - 0.1 * radius])
    points[48:] = torch.tensor([x, y + 0.5 * radius])
    points[48, 0], points[54, 0] = x - 0.3 * radius, x + 0.3 * radius
    return points


def test_mask_is_the_polygon_of_the_sheet() -> None:
    mask = mask_from_landmarks(round_face(50, 50, 30)[None], 100, 100)[0, 0]
    assert mask[75, 50] == 1
    assert mask[82, 50] == 0
    assert mask[60, 22] == 1
    assert mask[60, 18] == 0
    lifted = 50 - 0.4 * 30 - 0.3 * 24  # brows at y 38, inner eye corners 24 apart
    assert mask[int(lifted) + 1, 50] == 1
    assert mask[int(lifted) - 1, 50] == 0
    half_disc, brow_strip = 0.5 * torch.pi * 30**2, 60 * 12
    assert mask.sum().item() > 0.97 * (half_disc + brow_strip)


# Any folder


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    for i in range(12):
        path = tmp_path / "photos" / ("a" if i % 2 else "b") / f"{i:02d}.png"
        write_image(path, torch.full((3, 40, 30), i / 12))
        path.with_suffix(".txt").write_text("\n".join(f"{x / 6} {y / 6}" for x, y in POINTS))
    return tmp_path / "photos"


def test_folder_of_photos_with_landmarks(photos: Path) -> None:
    data = ImageFolder(str(photos), size=16, batch_size=5, val_share=0.2, test_share=0.2)
    data.prepare_data()
    sets = {split: set(data.dataset(split).names) for split in ("train", "val", "test")}
    assert sum(map(len, sets.values())) == len(set.union(*sets.values())) == 12
    batches = list(data.predict_dataloader())
    check(batches[0], ["image", "mask"])
    names = [name for batch in batches for name in batch["name"]]
    assert sorted(names) == sorted(f"{'a' if i % 2 else 'b'}/{i:02d}.png" for i in range(12))
    for batch in batches:
        for name, image in zip(batch["name"], batch["image"], strict=True):
            assert image.mean().item() == pytest.approx(int(name[2:4]) / 12, abs=0.005)


def test_folder_of_crops(photos: Path) -> None:
    for file in photos.rglob("*.txt"):
        file.unlink()
    batch = ImageFolder(str(photos), size=16, faces="whole").dataset("predict").batch([0])
    assert batch["image"].shape == (1, 3, 16, 16)


def test_folder_without_faces(photos: Path) -> None:
    for file in photos.rglob("*.txt"):
        file.unlink()
    with pytest.raises(UserError, match=r"no face was found in the 12 photos.*--data\.faces whole"):
        ImageFolder(str(photos), size=16).prepare_data()


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        ImageFolder(str(tmp_path / "nowhere")).prepare_data()


def test_new_photos_are_noticed(photos: Path) -> None:
    assert len(ImageFolder(str(photos), size=16).dataset("predict")) == 12
    write_image(photos / "new.png", torch.rand(3, 40, 30))
    (photos / "new.txt").write_text((photos / "b" / "00.txt").read_text())
    assert len(ImageFolder(str(photos), size=16).dataset("predict")) == 13


@pytest.mark.slow
def test_real_portraits(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    found = ImageFolder(str(shared / "data/faces"), size=64, landmarks=str(tmp_path)).dataset("predict")
    assert len(found) >= 8


# What is said about data


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "configs/data").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_kind_of_data_is_described(path: Path) -> None:
    words = about(path.stem)
    assert isinstance(words.synthetic, bool)
    assert all((words.title, words.licence, words.terms, words.where, words.layout))
