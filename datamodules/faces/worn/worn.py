"""All that people wear, as one mesh with one list of triangles for a whole batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.faces.worn import clothes, glasses, hair, hands, hats, masks
from datamodules.faces.worn.ranges import WornRange
from datamodules.faces.worn.site import Fitting
from datamodules.faces.worn.surfaces import stacked
from datamodules.sampling.draws import Draws
from zoo.contract import IGNORE
from zoo.errors import UserError
from zoo.morphable import MorphableModel
from zoo.render.mesh import vertex_normals

__all__ = ["LABELS", "Worn", "WornMesh"]

LABELS = ("hair", "hat", "glasses", "hand", "clothes", "mask")
_SLOTS = (hair, hats, glasses, hands, clothes, masks)


@dataclass(frozen=True)
class WornMesh:
    """What a batch of heads wears, in the head frame and in model units.

    Args:
        vertices: (B,W,3); the vertices of a thing that a sample does not wear all lie in one point in its head.
        normals: (B,W,3) unit, zero where a thing is not worn.
        albedo: (B,W,3) linear reflectance.
        repaint: (B,V,3) what to add to the albedo of the heads, so that their painted hair has the colour of the worn.
    """

    vertices: Tensor
    normals: Tensor
    albedo: Tensor
    repaint: Tensor


class Worn:
    """Dresses heads of one model.

    Args:
        model: The face model; it must have landmarks.
        worn: How often what is worn.

    Attributes:
        triangles: (T,3) ids of the W worn vertices, the same for every sample.
        labels: (W,) which of ``LABELS`` a vertex belongs to.

    Raises:
        UserError: The model has no landmarks.
    """

    def __init__(self, model: MorphableModel, worn: WornRange | None = None) -> None:
        if model.landmark_indices is None and model.landmark_vertices is None:
            raise UserError(f"the face model '{model.name}' has no landmarks, so nobody knows where its hair goes.")
        self.range = worn or WornRange()
        self._fitting = Fitting(model)
        device = model.mean.device
        counts = [slot.COUNT for slot in _SLOTS]
        triangles = stacked([(slot.COUNT, slot.TRIANGLES) for slot in _SLOTS])
        self.triangles = torch.from_numpy(triangles).to(device)
        self.labels = torch.from_numpy(np.repeat(np.arange(len(_SLOTS)), counts)).to(device)

    def __call__(self, draws: Draws, person: Draws, head: dict[str, Tensor], albedo: Tensor) -> WornMesh:
        """Dress a batch.

        Args:
            draws: The samples: hats, hands, clothes and masks are theirs.
            person: The people in them: hair and glasses are theirs.
            head: vertices and landmarks of the heads, as the model gives them.
            albedo: (B,V,3) linear colours of the heads.
        """
        site = self._fitting(head, albedo)
        hat = hats.Hats(draws, self.range.hats, site)

        def shown(wearers: NDArray[np.bool_]) -> Tensor:
            return torch.from_numpy(wearers).to(albedo.device)

        has_hair = person.chance("has worn hair", self.range.hair) & ~hat.hides_hair()
        has_glasses = person.chance("has worn glasses", self.range.glasses)
        has_clothes = draws.chance("has worn clothes", self.range.clothes)
        parts = (
            hair.hair_points(site, person, hat.pressed(), shown(has_hair)),
            hat.points(),
            glasses.glasses_points(site, person, shown(has_glasses)),
            hands.hand_points(site, draws, self.range.hands),
            clothes.clothes_points(site, person, draws, shown(has_clothes)),
            masks.mask_points(site, draws, self.range.masks),
        )
        points = torch.cat([part[0] for part in parts], 1)
        vertices = self._fitting.back(points, head)
        normals = vertex_normals(points, self.triangles)
        repaint = self._fitting.dye(albedo, site, hair.hair_colour(person, site.hair, site.skin))
        repaint = repaint * shown(has_hair)[:, None, None]
        return WornMesh(vertices, normals, torch.cat([part[1] for part in parts], 1), repaint)

    def on(
        self, head: dict[str, Tensor], albedo: Tensor, draws: Draws, person: Draws
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Heads with what they wear: the worn vertices follow the heads' own, in all that counts vertices.

        Args:
            head: vertices, normals and landmarks of the heads, as the model gives them.
            albedo: (B,V,3) linear colours of the heads.
            draws: The samples.
            person: The people in them.

        Returns:
            The head with vertices and normals (B,V+W,3), and colours (B,V+W,3).
        """
        mesh = self(draws, person, head, albedo)
        albedo = albedo + mesh.repaint
        vertices = torch.cat((head["vertices"], mesh.vertices), 1)
        dressed = {**head, "vertices": vertices, "normals": torch.cat((head["normals"], mesh.normals), 1)}
        return dressed, torch.cat((albedo, mesh.albedo), 1)

    def labels_for(self, model: MorphableModel) -> Tensor:
        """(W,) a part of the model for each worn vertex: its hair, or one that becomes "ignore" by adding 1."""
        parts = torch.full_like(self.labels, IGNORE - 1)
        if "hair" in model.label_names:
            parts[self.labels == LABELS.index("hair")] = model.label_names.index("hair")
        return parts
