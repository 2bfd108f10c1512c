"""What every paper's module shares: the steps, the weighting and logging of losses, optimisers, weights in and out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

import torch
from pytorch_lightning import LightningDataModule, LightningModule
from torch import Tensor
from torchmetrics import MetricCollection

from zoo.errors import UserError

if TYPE_CHECKING:
    from zoo.inference import Prediction

__all__ = ["Batch", "Predictor", "ZooModule"]

Batch = Mapping[str, Tensor]
Schedule = Literal["constant", "cosine", "multistep"]


class Predictor(Protocol):
    """Anything that answers a batch as a module does, such as a trivial baseline."""

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """The prediction for a batch, with the keys that the metrics ask for."""
        ...


class ZooModule(LightningModule):
    """A paper: one inference path, named losses, metrics, and pictures that a person looks at.

    A subclass takes plain typed arguments (they are the command line), calls ``save_hyperparameters``, and supplies
    ``forward``, ``losses``, ``metrics`` and ``panels``. Everything else is here.

    ``forward(image)`` is the only inference path: predict, benchmark, export and notebooks call it, so pre- and
    post-processing live inside. It takes and gives the keys of ``zoo.contract``; further keys, which losses need,
    may go along and are not exported.

    Args:
        loss_weights: The factor of each term that ``losses`` returns.
        lr: Learning rate of Adam.
        weight_decay: On weights of two or more dimensions; biases and gains have none.
        schedule: ``constant``; ``cosine``: a warm-up over the first twentieth of all steps, then a cosine to zero; or
            ``multistep``: ``milestone_factor`` (a tenth, if the paper has no other) at each of ``milestones``.
        milestones: Steps of the optimiser.
    """

    card_name: ClassVar[str]
    """The name on the card."""

    machine_arguments: ClassVar[tuple[str, ...]] = ()
    """Constructor arguments that name files of this machine: they are the command line's, not those of the weights."""

    milestone_factor: ClassVar[float] = 0.1
    """What the learning rate is multiplied by at each of ``milestones``."""

    def __init__(
        self,
        loss_weights: Mapping[str, float],
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        schedule: Schedule = "constant",
        milestones: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.loss_weights = dict(loss_weights)
        self.lr, self.weight_decay = lr, weight_decay
        self.schedule, self.milestones = schedule, tuple(milestones)
        self.val_metrics = self.metrics().clone(prefix="val/")
        self.test_metrics = self.metrics().clone(prefix="test/")

    # What a paper supplies

    @abstractmethod
    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """From the contract's image to the contract's outputs, with all pre- and post-processing."""

    def answer(self, batch: Batch) -> dict[str, Tensor]:
        """The prediction for a batch, as losses and metrics see it: that of its image, unless a paper needs more.

        A paper that learns from several pictures of a scene answers all of them here; ``forward`` stays the one path
        for one picture.
        """
        return self(batch["image"])

    @abstractmethod
    def losses(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """Named terms, unweighted, each a scalar."""

    @abstractmethod
    def metrics(self) -> MetricCollection:
        """What is measured: metrics whose ``update`` takes a prediction and a batch (see ``zoo.metrics.Keyed``)."""

    @abstractmethod
    def panels(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """Titled pictures (B,3,H,W), sRGB in [0, 1], in the order in which a person reads them."""

    def views(self, prediction: Batch) -> dict[str, Tensor]:
        """Further pictures (B,3,H,W) of a prediction for ``predict``, such as other lights; none by default."""
        return {}

    def write(self, found: Prediction, folder: Path) -> list[Path]:
        """Write further files of one picture for ``predict``, such as a mesh; none by default.

        Args:
            found: What ``predict_image`` saw: ``found.outputs`` is all that ``forward`` gave, ``found.photo`` and
                ``found.crop`` lead back to the whole photo.
            folder: Where they shall lie; it may not exist yet (``zoo.files.written_whole`` makes it).

        Returns:
            The files, in the order in which a person wants to hear of them.
        """
        return []

    def combine(self, outputs: Sequence[Batch]) -> list[dict[str, Tensor]]:
        """Make the answers for several pictures of one person agree, for ``predict --same-person``.

        Args:
            outputs: What ``forward`` gave for each picture, each a batch of one.

        Returns:
            As many answers with the same keys, in the same order.

        Raises:
            UserError: The model sees each picture by itself; that is the default.
        """
        raise UserError(
            f"{self.card_name} sees each picture by itself and cannot join several of one person; "
            "leave out --same-person."
        )

    def starting_weights(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """What training starts from, given the tensors of another module of this class: those, by default."""
        return state

    def check_weights(self, state: Mapping[str, Tensor], source: str) -> None:
        """Say why tensors cannot be meant for this module, before their names and shapes are looked at.

        Args:
            state: Tensors under the module's names.
            source: Where they come from, for the message.

        Raises:
            UserError: They belong to something else, such as another face model.
        """

    def baselines(self, data: LightningDataModule) -> dict[str, Predictor]:
        """The trivial answers that the model is set beside, by names for people; none by default.

        What an answer needs to know, such as a mean, it learns from the training data.
        """
        return {}

    # Steps

    def total_loss(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of the terms.

        Raises:
            KeyError: A term has no weight.
        """
        return torch.stack([self.loss_weights[name] * value for name, value in terms.items()]).sum()

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """One batch: predict, weigh, log each term."""
        terms = self.losses(self.answer(batch), batch)
        loss = self.total_loss(terms)
        self._log_losses("train", terms, loss, batch)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """One batch into the validation metrics and losses."""
        self._evaluate("val", self.val_metrics, batch)

    def test_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """One batch into the test metrics and losses."""
        self._evaluate("test", self.test_metrics, batch)

    def predict_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        """The prediction for a batch of a data module."""
        return self(batch["image"])

    def _evaluate(self, stage: str, metrics: MetricCollection, batch: dict[str, Tensor]) -> None:
        prediction = self.answer(batch)
        terms = self.losses(prediction, batch)
        self._log_losses(stage, terms, self.total_loss(terms), batch)
        metrics.update(prediction, batch)
        self.log_dict(metrics, batch_size=len(batch["image"]))

    def _log_losses(self, stage: str, terms: Mapping[str, Tensor], loss: Tensor, batch: Batch) -> None:
        size = len(batch["image"])
        apart = stage != "train"  # training terms are this step's; the others are means over all ranks
        values = {f"{stage}/loss_{name}": value.detach() for name, value in terms.items()}
        self.log_dict(values, batch_size=size, sync_dist=apart)
        self.log(f"{stage}/loss", loss.detach(), batch_size=size, prog_bar=True, sync_dist=apart)

    # Optimisation

    def configure_optimizers(self) -> Any:
        """Adam with the module's learning rate, decay and schedule."""
        groups = split_decay(self, self.weight_decay)
        optimizer = torch.optim.Adam(groups, lr=self.lr)
        if self.schedule == "constant":
            return optimizer
        scheduler: torch.optim.lr_scheduler.LRScheduler
        if self.schedule == "multistep":
            scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, self.milestones, self.milestone_factor)
        else:
            scheduler = self._warm_cosine(optimizer)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _warm_cosine(self, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
        steps = self.trainer.estimated_stepping_batches
        if steps == float("inf"):
            raise UserError(
                "a cosine needs an end: give --trainer.max_epochs or --trainer.max_steps, or --model.schedule constant."
            )
        steps = int(steps)
        warm = max(1, steps // 20)
        rise = torch.optim.lr_scheduler.LinearLR(optimizer, 1e-2, total_iters=warm)
        fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps - warm))
        return torch.optim.lr_scheduler.SequentialLR(optimizer, [rise, fall], [warm])

    # Weights

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse tensors that mean something else here."""
        self.check_weights(checkpoint["state_dict"], "the checkpoint")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say whose checkpoint it is, so that another model can refuse it."""
        checkpoint["model"] = self.card_name

    @classmethod
    def from_pretrained(cls, weights: str | Path | None = None, **overrides: Any) -> Self:
        """The trained module, in evaluation mode.

        Args:
            weights: A tag on the card, or a file: ours, a Lightning checkpoint, or the authors'; by default the card's
                default tag.
            overrides: Constructor arguments in place of those stored with the weights.

        Raises:
            UserError: No such tag or file, or a file that is damaged, unsafe, or of another model.
        """
        from zoo.hub import load

        module = load(cls.card_name, weights=weights, **overrides)
        assert isinstance(module, cls)
        return module

    def save_pretrained(self, path: str | Path) -> Path:
        """Write weights and constructor arguments as safetensors, in half precision, for ``from_pretrained``.

        Raises:
            UserError: The file cannot be written.
        """
        from zoo.hub import save_weights

        return save_weights(self, path)


def split_decay(module: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups: decay on weights of two or more dimensions, none on biases and gains."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
