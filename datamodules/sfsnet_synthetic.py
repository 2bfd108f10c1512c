"""The synthetic faces that SfSNet was trained on, as their authors release them on request."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.about import missing
from datamodules.augment import flip_coins, hflip
from datamodules.base import BatchDataset, ZooDataModule
from datamodules.loader import epoch_and_sample
from zoo.errors import UserError
from zoo.imaging import linear_to_srgb, read_image, srgb_to_linear
from zoo.render.normals import unit_normals
from zoo.render.sh import ATTENUATION, sfsnet_to_light, sh_basis, shade

__all__ = ["SfSNetSynthetic", "display_to_linear_light"]

_DARKEST = 1e-3


class SfSNetSynthetic(ZooDataModule):
    """SfSNet's synthetic set: ``<group>/<id>_<kind>_<i>_<j>.<ext>`` with kinds face, albedo, normal, mask and light.

    The authors multiply albedo and shading as *displayed* (sRGB-encoded) values. The contract wants linear light, so
    the picture stays as it is, albedo is decoded to linear, shading is what is left of linear(image) beside it, and
    the light is the one whose shading comes nearest to the authors' shading, decoded, over the visible half of
    the sphere. Normals are ``2 v / 256 - 1``; their y axis is taken to point up, which the release does not say.

    Groups, and so people, are shared out to the splits as a whole.

    Args:
        folder: Where the groups lie.
        size: Height and width; the files have 512 pixels.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order and augmentation.
        val: Share of groups for validation.
        test: Share of groups for the test.
        light: "linear" as above, or "display" for the authors' own numbers in our order, for training on displayed
            values (``--model.encoding srgb``).
        flip: Mirror half of the training samples, others in each epoch.

    Raises:
        UserError: The data is not there, or there are fewer than three groups.
    """

    def __init__(
        self,
        folder: str,
        size: int = 128,
        batch_size: int = 16,
        num_workers: int = 4,
        seed: int = 0,
        val: float = 0.05,
        test: float = 0.05,
        light: Literal["linear", "display"] = "linear",
        flip: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        self.folder, self.size, self.light, self.flip = Path(folder).expanduser(), size, light, flip
        self.shares = {"test": test, "val": val}

    def prepare_data(self) -> None:
        """Look that the data is there."""
        self._groups()

    def dataset(self, split: str) -> BatchDataset:
        """The samples of a split's groups; ``predict`` is ``test``."""
        groups = self._groups()["test" if split == "predict" else split]
        flip = self.flip and split == "train"
        return _Samples([s for g in groups for s in _samples(g)], self.size, self.light, flip, self.seed)

    def _groups(self) -> dict[str, list[Path]]:
        if not self.folder.is_dir():
            raise missing("sfsnet_synthetic", f"there is no folder {self.folder}")
        groups = [path for path in sorted(self.folder.iterdir()) if path.is_dir() and _samples(path)]
        if len(groups) < 3:
            raise missing(
                "sfsnet_synthetic", f"{self.folder} has {len(groups)} groups of faces, and each split needs its own"
            )
        # by a hash of the name, so that neighbours are mixed, and few groups change their split when others are added
        groups.sort(key=lambda path: hashlib.sha256(path.name.encode()).digest())
        split: dict[str, list[Path]] = {}
        start = 0
        for name, share in self.shares.items():
            end = start + max(1, round(share * len(groups)))
            split[name], start = groups[start:end], end
        split["train"] = groups[start:]
        if not split["train"]:
            raise UserError("the shares of val and test leave no group for training; lower them.")
        return split


class _Sample(NamedTuple):
    folder: Path
    identity: str
    pose: str

    def file(self, kind: str, suffix: str = ".png") -> Path:
        return self.folder / f"{self.identity}_{kind}_{self.pose}{suffix}"


@lru_cache(maxsize=4096)
def _samples(group: Path) -> tuple[_Sample, ...]:
    found = []
    for path in sorted(group.glob("*_face_*.png")):
        identity, _, pose = path.stem.partition("_face_")
        found.append(_Sample(group, identity, pose))
    return tuple(found)


class _Samples(BatchDataset):
    def __init__(self, samples: Sequence[_Sample], size: int, light: str, flip: bool, seed: int) -> None:
        self.samples, self.size, self.light, self.flip, self.seed = samples, size, light, flip, seed

    def __len__(self) -> int:
        return len(self.samples)

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        """Read and convert; see ``SfSNetSynthetic``."""
        rows = [self._read(self.samples[epoch_and_sample(index, len(self))[1]]) for index in indices]
        batch: dict[str, Any] = {key: torch.stack([row[key] for row in rows]) for key in rows[0]}
        batch["light"] = sfsnet_to_light(batch["light"])
        if self.light == "linear":
            batch["light"] = display_to_linear_light(batch["light"])
        return hflip(batch, flip_coins(self.seed, indices)) if self.flip else batch

    def _read(self, sample: _Sample) -> dict[str, Tensor]:
        # the release divides labels by 256 and its pictures by 255; read_image divides all by 255
        label = {kind: read_image(sample.file(kind)) * (255 / 256) for kind in ("albedo", "normal", "mask")}
        inside = (label["mask"][:1] > 0.25).float()
        linear = self._shrink(srgb_to_linear(read_image(sample.file("face"))))
        albedo = self._shrink(srgb_to_linear(label["albedo"]))
        normal = unit_normals(self._shrink((2 * label["normal"] - 1) * inside)[None])[0]
        mask = (self._shrink(inside) > 0.999) & (albedo.amin(0, keepdim=True) > _DARKEST)
        mask = mask.float()
        return {
            "image": linear_to_srgb(linear).clamp(0, 1),
            "albedo": albedo * mask,
            "shading": linear / albedo.clamp_min(_DARKEST) * mask,
            "normal": normal * mask,
            "light": _read_light(sample.file("light", ".txt")),
            "mask": mask,
        }

    def _shrink(self, picture: Tensor) -> Tensor:
        return F.interpolate(picture[None], size=(self.size, self.size), mode="area")[0]


def _read_light(path: Path) -> Tensor:
    try:
        values = [float(word) for word in path.read_text().split()]
    except (OSError, ValueError) as problem:
        raise UserError(f"{path} cannot be read ({problem}). Copy it again, or remove its sample.") from problem
    if len(values) != 27:
        raise UserError(f"{path} holds {len(values)} numbers, and light has 27. Copy it again, or remove its sample.")
    return torch.tensor(values)


def display_to_linear_light(light: Tensor) -> Tensor:
    """Light for linear shading from light that was fitted to displayed shading.

    Decoding bends the shading, so nine numbers cannot hold it exactly: these are the nearest ones in the sense of least
    squares over the normals that a camera sees.

    Args:
        light: (B,3,9) whose shading is sRGB-encoded.

    Returns:
        (B,3,9) whose shading is linear.
    """
    normals, inverse = _front_hemisphere()
    shading = shade(normals.to(light).mT[None, :, :, None].expand(len(light), -1, -1, -1), light)[..., 0]
    return srgb_to_linear(shading.clamp_min(0)) @ inverse.to(light).mT


@lru_cache(maxsize=1)
def _front_hemisphere(count: int = 400) -> tuple[Tensor, Tensor]:
    """Evenly spread unit vectors with z > 0 (N,3), and what turns shading at them into light (9,N)."""
    index = torch.arange(count, dtype=torch.float64)
    z = (index + 0.5) / count
    angle = index * torch.pi * (3 - 5**0.5)
    radius = (1 - z * z).sqrt()
    normals = torch.stack((radius * angle.cos(), radius * angle.sin(), z), -1)
    inverse = torch.linalg.pinv(sh_basis(normals) * normals.new_tensor(ATTENUATION))
    return normals.float(), inverse.float()
