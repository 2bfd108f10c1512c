"""Deep3DFace as a LightningModule: R-Net and C-Net, learned from pictures and landmarks alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MetricCollection

from lightning_modules.base import Batch, Predictor, Schedule, ZooModule
from lightning_modules.deep3dface.coefficients import Sizes, join, split
from lightning_modules.deep3dface.decoder import FaceDecoder
from lightning_modules.deep3dface.face_model import name_as_tensor, name_of
from lightning_modules.deep3dface.files import write_face
from lightning_modules.deep3dface.losses import (
    coefficient_loss,
    gamma_loss,
    landmark_loss,
    perceptual_loss,
    photometric_loss,
    reflectance_loss,
)
from lightning_modules.deep3dface.metrics import ColourError, OfPrediction
from lightning_modules.deep3dface.network import ConfidenceNet, ReconNet, aggregate
from lightning_modules.deep3dface.views import face_views
from zoo.checkpoints import read_checkpoint
from zoo.errors import UserError
from zoo.faces.landmarks import draw_landmarks
from zoo.faces.recognition import load_recognition, recognition_crop
from zoo.faces.skin import skin_probability
from zoo.inference import Prediction
from zoo.metrics import IdentityCosine, Keyed, LandmarkNME, LightError, PhotometricError, VertexError
from zoo.morphable import MorphableModel

__all__ = ["Deep3DFace"]

_CLASSIFIERS = ("fc.", "classifier.", "head.fc.")
"""What timm and torchvision call the layer for ImageNet's classes."""
_BASES = ("identity", "expression", "texture")


class Deep3DFace(ZooModule):
    """The coefficients of a morphable model from one aligned picture of a face, and from several of one person.

    It learns without 3D labels: a rendered face should look like the picture (photometric loss on skin), have its
    landmarks where they are, and be the same person to a recognition network; coefficients should stay probable.

    Args:
        morphable: The face model: "procedural", "bfm:PATH", "ict:PATH" or "flame:PATH".
        backbone: R-Net's backbone, by its name in timm; the paper's is ``resnet50``.
        backbone_weights: A file that training starts from: a backbone's own weights (torchvision's, timm's), or those
            of a Deep3DFace for another face model, of which the backbone is taken. It does not count where whole
            weights are given, such as those of an earlier stage.
        size: Height and width of the pictures that the network sees; the paper's is 224. Others are resized to it.
        lighting: ``encoded`` multiplies texture and shading as displayed, as the paper does; ``linear`` in linear
            light; ``auto`` is ``encoded`` for BFM, whose scans were lit, and ``linear`` for the others.
        perception: What the perception-level loss and the identity metric ask: ``embedded`` (the small network of
            ``zoo.faces.recognition``), ``arcface:PATH`` (insightface's r50), or ``none``.
        confidence_channels: Width of C-Net; 256 in the paper, 0 for none: several pictures are then averaged.
        learn: ``single`` trains R-Net on single pictures. ``sets`` keeps R-Net and trains C-Net on sets of pictures of
            one person (``datamodules.AlignedFaces`` with ``people``), through the shape of the aggregated coefficients.
        drawn_share: Share of each training batch that is drawn, and so has photometric, perception-level, reflectance
            and light terms; all of it has landmarks. Less than 1 trains a small backbone on a CPU twice as fast.
        weight_photometric: Weight of the photometric loss.
        weight_landmarks: Weight of the landmark loss, which is in squared pixels of a picture of 224.
        weight_perceptual: Weight of the perception-level loss.
        weight_coefficients: Weight of the squared coefficients.
        weight_reflectance: Weight of the variance of the skin's colour.
        weight_gamma: Weight of the variance of the light over red, green and blue.
        lr: Learning rate of Adam.
        weight_decay: On weights, not on biases.
        schedule: ``constant``, ``cosine``, or ``multistep``, which takes a fifth at each of ``milestones``.
        milestones: Steps of the optimiser.

    Raises:
        UserError: The face model cannot be read, timm has no such backbone, or a value that cannot be used.

    Source: Deng et al., Accurate 3D Face Reconstruction with Weakly-Supervised Learning, CVPR Workshops 2019; constants
    from the authors' PyTorch release.
    """

    card_name: ClassVar[str] = "deep3dface"
    machine_arguments: ClassVar[tuple[str, ...]] = ("morphable", "perception")
    milestone_factor: ClassVar[float] = 0.2

    face_model: Tensor
    measured: Tensor

    def __init__(
        self,
        morphable: str = "procedural",
        backbone: str = "resnet50",
        backbone_weights: str | None = None,
        size: int = 224,
        lighting: Literal["auto", "encoded", "linear"] = "auto",
        perception: str = "embedded",
        confidence_channels: int = 0,
        learn: Literal["single", "sets"] = "single",
        drawn_share: float = 1.0,
        weight_photometric: float = 1.92,
        weight_landmarks: float = 1.6e-3,
        weight_perceptual: float = 0.2,
        weight_coefficients: float = 3e-4,
        weight_reflectance: float = 5.0,
        weight_gamma: float = 10.0,
        lr: float = 1e-4,
        weight_decay: float = 0.0,
        schedule: Schedule = "constant",
        milestones: Sequence[int] = (),
    ) -> None:
        weights = {
            "photometric": weight_photometric,
            "landmarks": weight_landmarks,
            "perceptual": weight_perceptual,
            "coefficients": weight_coefficients,
            "reflectance": weight_reflectance,
            "gamma": weight_gamma,
        }
        super().__init__(weights, lr, weight_decay, schedule, milestones)
        self.save_hyperparameters()
        if learn == "sets" and not confidence_channels:
            raise UserError("learn=sets trains C-Net, so it needs a width: --model.confidence_channels 256.")
        if not 0 < drawn_share <= 1:
            raise UserError(f"drawn_share is {drawn_share}; it is a share above 0, at most 1.")
        if perception not in ("none", "embedded") and not perception.startswith("arcface:"):
            raise UserError(f"perception is '{perception}'; take embedded, arcface:PATH or none.")
        self.size, self.learn, self.perception, self.drawn_share = size, learn, perception, drawn_share
        self.backbone_weights = backbone_weights
        try:
            model = MorphableModel.load(morphable)
        except UserError as error:
            raise UserError(f"{error} (the face model is given by --model.morphable)") from error
        self.decoder = FaceDecoder(model, size, lighting)
        self.front = self.decoder.cut()  # looks the same, without what no picture shows
        sizes: Sizes = self.decoder.sizes
        self.sizes = sizes
        self.network = ReconNet(backbone, sizes.identity, sizes.expression, sizes.texture)
        self.confidence = None
        if confidence_channels:
            shallow, deep = self.network.shallow_channels, self.network.deep_channels
            self.confidence = ConfidenceNet(shallow, deep, sizes.identity, confidence_channels)
        self.register_buffer("face_model", name_as_tensor(model.name))
        self.register_buffer("measured", self.front.front_triangles.unique(), persistent=False)
        self._recognition: list[nn.Module] = []  # in a list, since it is neither trained nor saved
        if learn == "sets":
            self.network.requires_grad_(False)
        elif self.confidence is not None:
            self.confidence.requires_grad_(False)  # no loss of single pictures reaches it

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Reconstruct the face in each picture.

        Args:
            image: (B,3,H,W) sRGB in [0, 1], cut out by ``zoo.faces.align_face``.

        Returns:
            identity, expression, texture, rotation, translation, light, landmarks (in pixels of the image) and vertices
            as in ``zoo.contract``. For losses, views and sets also coefficients (B,N) in the official order, the
            picture itself, and confidence_of_identity (B,K), which is 1 without C-Net.
        """
        shallow, pooled = self.network.features(self._resized(image))
        coefficients = self.network.heads(pooled).float()
        return {**self._told(coefficients, image), **self._trusted(shallow, pooled), "picture": image}

    def _trusted(self, shallow: Tensor, pooled: Tensor) -> dict[str, Tensor]:
        if self.confidence is None:
            return {"confidence_of_identity": pooled.new_ones(pooled.shape[0], self.sizes.identity)}
        return {"confidence_of_identity": self.confidence(shallow, pooled).float()}

    def _told(self, coefficients: Tensor, image: Tensor) -> dict[str, Tensor]:
        """Some coefficients under the contract's names."""
        parts = split(coefficients, self.sizes)
        told = self.decoder.contract(parts, self.decoder.geometry(parts))
        return {**told, "landmarks": self._in_pixels_of(image, told["landmarks"]), "coefficients": coefficients}

    def _in_pixels_of(self, image: Tensor, landmarks: Tensor) -> Tensor:
        """From pixels of the network's picture to those of the given one."""
        height, width = image.shape[-2:]
        extent = torch.stack([torch.ones_like(landmarks[..., 0]) * side for side in (width, height)], -1)
        return (landmarks + 0.5) * (extent / self.size) - 0.5

    def _resized(self, image: Tensor) -> Tensor:
        return F.interpolate(image, (self.size, self.size), mode="bilinear", antialias=False, align_corners=False)

    def combine(self, outputs: Sequence[Batch]) -> list[dict[str, Tensor]]:
        """Give the pictures of one person one identity: the mean of their coefficients, by the trust of C-Net."""
        coefficients, trust = (
            torch.cat([each[name] for each in outputs]) for name in ("coefficients", "confidence_of_identity")
        )
        joined = self.of_sets(coefficients, trust, len(outputs)).split(1)
        return [{**each, **self._told(own, each["picture"])} for own, each in zip(joined, outputs, strict=True)]

    # Training

    def setup(self, stage: str) -> None:
        """Begin with the given backbone; a run that goes on loads its own weights after this."""
        if stage != "fit" or not self.backbone_weights:
            return
        from zoo.hub import load_weights

        backbone = self.network.backbone
        given = read_checkpoint(self.backbone_weights).state
        prefix = "network.backbone." if any(name.startswith("network.backbone.") for name in given) else ""
        own = {name.removeprefix(prefix): value for name, value in given.items() if name.startswith(prefix)}
        state = {name: value for name, value in own.items() if not name.startswith(_CLASSIFIERS)}
        load_weights(backbone, state, source=self.backbone_weights, name="the backbone")

    def answer(self, batch: Batch) -> dict[str, Tensor]:
        """The reconstruction of a batch, drawn; of sets of pictures of one person with one identity for each person."""
        if "landmarks" not in batch:
            raise UserError(
                "'landmarks' is missing; Deep3DFace learns from the 68 points of a face, such as --data face_photos."
            )
        image = self._resized(batch["image"])
        shallow, pooled = self.network.features(image)
        coefficients = self.network.heads(pooled).float()
        trusted = self._trusted(shallow, pooled)
        if self.learn == "sets":
            coefficients = self.of_sets(coefficients, trusted["confidence_of_identity"], pictures_of_each(batch))
        drawn = math.ceil(self.drawn_share * len(image)) if self.training and self.learn == "single" else len(image)
        if drawn == len(image):
            return {**self.drawn(coefficients, batch), **trusted}
        some = {name: value if name == "triangles" else value[:drawn] for name, value in batch.items()}
        return {**self.drawn(coefficients[:drawn], some), **self._placed(coefficients, batch["image"]), **trusted}

    def _placed(self, coefficients: Tensor, image: Tensor) -> dict[str, Tensor]:
        """What all pictures of a batch are asked for: coefficients and landmarks."""
        parts = split(coefficients, self.sizes)
        landmarks = self.front.geometry(parts)["landmarks"]
        return {"landmarks": self._in_pixels_of(image, landmarks), **{name: parts[name] for name in _BASES}}

    def of_sets(self, coefficients: Tensor, confidence: Tensor, pictures: int) -> Tensor:
        """Coefficients (B,N) with one identity for each person, of ``pictures`` neighbours each."""
        parts = split(coefficients, self.sizes)
        identity, trust = (x.unflatten(0, (-1, pictures)) for x in (parts["identity"], confidence))
        return join({**parts, "identity": aggregate(identity, trust).repeat_interleave(pictures, 0)})

    def drawn(self, coefficients: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Everything that losses, metrics and panels ask of some coefficients (B,N)."""
        image, decoder = self._resized(batch["image"]), self.front
        parts = split(coefficients, self.sizes)
        decoded = decoder(parts)
        rendered = decoder.render(decoded)
        mask = rendered["mask"]
        told = {name: value for name, value in decoder.contract(parts, decoded).items() if name != "vertices"}
        told |= {
            "landmarks": self._in_pixels_of(batch["image"], told["landmarks"]),
            "coefficients": coefficients,
            "gamma": parts["gamma"],
            "colours": decoded["texture"],
            "rendered": rendered["image"],
            "drawn": rendered["image"] * mask + image * (1 - mask),
            "picture": image,
            "attention": skin_probability(image) * mask * (self._resized(batch["mask"]) if "mask" in batch else 1),
        }
        return told | self._held_against_truth(told, batch) | self._recognised(told, batch)

    def _held_against_truth(self, told: Batch, batch: Batch) -> dict[str, Tensor]:
        """Shapes (decimetres) and colours of the face's front, and the true ones where the batch has coefficients."""
        if not all(name in batch and batch[name].shape[1] == told[name].shape[1] for name in _BASES):
            return {}
        if (self.decoder.model.expression_prior == "unit") != bool((batch["expression"] >= 0).all()):
            return {}  # blend shapes are never below 0, standard deviations are: another model's, of the same sizes
        found: dict[str, Tensor] = {}
        for prefix, source in (("", told), ("true_", batch)):
            identity, expression, texture = (source[name].detach().float() for name in _BASES)
            found[f"{prefix}face"] = self.front.shape(identity, expression)[:, self.measured]
            found[f"{prefix}neutral_face"] = self.front.shape(identity, 0 * expression)[:, self.measured]
            found[f"{prefix}skin"] = self.front.texture(texture)[:, self.front.skin]
        return found

    def _recognised(self, told: Batch, batch: Batch) -> dict[str, Tensor]:
        """Embeddings of the drawn face and of the true one, each aligned by its own landmarks."""
        network = self._recognition_network(told["picture"].device)
        if network is None:
            return {}
        scale = self.size / batch["image"].shape[-1]
        drawn, true = (((points + 0.5) * scale - 0.5).detach() for points in (told["landmarks"], batch["landmarks"]))
        with torch.no_grad():
            seen = network(recognition_crop(told["picture"], true))
        return {"embedding": network(recognition_crop(told["drawn"], drawn)), "true_embedding": seen}

    def _recognition_network(self, device: torch.device) -> nn.Module | None:
        if self.perception == "none":
            return None
        if not self._recognition:
            self._recognition.append(load_recognition(self.perception))
        return self._recognition[0].to(device)  # no part of the module, so that nobody else moves it

    def losses(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """The terms of the paper, unweighted, from what ``drawn`` gives."""
        prior, side = self.decoder.model.expression_prior, batch["image"].shape[-1]
        values = {
            "photometric": photometric_loss(prediction["rendered"], prediction["picture"], prediction["attention"]),
            "landmarks": landmark_loss(prediction["landmarks"], batch["landmarks"], side),
            "coefficients": coefficient_loss(
                prediction["identity"], prediction["expression"], prediction["texture"], prior
            ),
            "reflectance": reflectance_loss(prediction["colours"], self.front.skin),
            "gamma": gamma_loss(prediction["gamma"]),
        }
        if "embedding" in prediction:
            values["perceptual"] = perceptual_loss(prediction["embedding"], prediction["true_embedding"])
        return values

    def metrics(self) -> MetricCollection:
        """Landmarks and colours in the picture, and shape, skin and light against the truth where there is one."""
        collection: dict[str, Any] = {
            "nme": Keyed(LandmarkNME("interocular"), "landmarks", mask=None),
            "photometric_error": OfPrediction(PhotometricError(), "rendered", target="picture", mask="attention"),
            "identity_cosine": OfPrediction(IdentityCosine(), "embedding", target="true_embedding"),
            "face_error": OfPrediction(VertexError("similarity", millimetres=100.0), "face", target="true_face"),
            "neutral_error": OfPrediction(
                VertexError("similarity", millimetres=100.0), "neutral_face", target="true_neutral_face"
            ),
            "skin_error": OfPrediction(ColourError(), "skin", target="true_skin"),
            "light_error": Keyed(LightError("shading"), "light", mask=None, optional=True),
        }
        return MetricCollection(collection, compute_groups=False)

    def baselines(self, data: LightningDataModule) -> dict[str, Predictor]:
        """The mean face, frontal and at the middle of the aligned picture: what an untrained R-Net says."""
        return {"mean face": _MeanFace(self)}

    def train(self, mode: bool = True) -> Self:
        """R-Net stays as it is while C-Net learns, its running means included."""
        super().train(mode)
        if self.learn == "sets":
            self.network.eval()
        return self

    def starting_weights(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Those of a trained R-Net; a C-Net that they lack begins as plain averaging."""
        self.backbone_weights = None  # `setup` must put no bare backbone over whole weights
        own = {name: value for name, value in self.state_dict().items() if name.startswith("confidence.")}
        given = {name: value for name, value in state.items() if self.confidence or not name.startswith("confidence.")}
        return {**own, **given}

    def check_weights(self, state: Mapping[str, Tensor], source: str) -> None:
        """Refuse coefficients that mean something else: those of another face model.

        Raises:
            UserError: Names both face models.
        """
        if "face_model" not in state:
            return
        theirs, own = name_of(state["face_model"]), name_of(self.face_model)
        if theirs != own:
            path = "" if theirs == "procedural" else ":PATH"
            raise UserError(
                f"{source} was trained for the face model '{theirs}', but this one is '{own}': coefficients mean "
                f"something else in each. Give --model.morphable {theirs}{path}."
            )

    # What a person looks at

    def panels(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """The picture, the face laid over it, shape, albedo, shading, and landmarks with the true ones."""
        drawn = self.drawn(prediction["coefficients"], batch)
        parts = split(prediction["coefficients"], self.sizes)
        decoded = self.front(parts)
        flat = self.front.render(decoded, decoded["texture"].clamp(0, 1))["image"]
        light = self.front.render(decoded, decoded["shading"])["image"]
        normals = self.front.render(decoded, decoded["normals"])["image"]
        points = draw_landmarks(batch["image"], prediction["landmarks"])
        pictures = {
            "image": drawn["picture"],
            "drawn": drawn["drawn"],
            "shape": normals[:, 2:].clamp(0, 1).expand(-1, 3, -1, -1),
            "albedo": flat,
            "shading": (light / light.amax((1, 2, 3), keepdim=True).clamp_min(1e-6)).clamp(0, 1),
            "landmarks": points,
        }
        if "landmarks" in batch:
            pictures["true landmarks"] = draw_landmarks(batch["image"], batch["landmarks"])
        return pictures

    def views(self, prediction: Batch) -> dict[str, Tensor]:
        """The face laid over the picture, its shape, albedo, shading and wireframe, and its landmarks."""
        return face_views(self.decoder, prediction)

    def write(self, found: Prediction, folder: Path) -> list[Path]:
        """The face laid over the photo, points and coefficients, meshes with the photo's colours, and a turntable."""
        return write_face(self.decoder, found, folder)


class _MeanFace:
    def __init__(self, module: Deep3DFace) -> None:
        self.module = module

    @torch.no_grad()
    def predict(self, batch: Batch) -> dict[str, Tensor]:
        return self.module.drawn(batch["image"].new_zeros(len(batch["image"]), self.module.sizes.total), batch)


def pictures_of_each(batch: Batch) -> int:
    """How many pictures of each person lie side by side in a batch.

    Raises:
        UserError: The batch is not made of sets of one size.
    """
    person = batch.get("person")
    if person is not None:
        counts = torch.unique_consecutive(person, return_counts=True)[1]
        if bool((counts == counts[0]).all()):
            return int(counts[0])
    raise UserError(
        "learn=sets needs batches of sets, as many pictures of each person side by side: datamodules.AlignedFaces with "
        "people=5 (configs/data/face_sets.yaml)."
    )
