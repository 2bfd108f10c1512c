"""What Lightning and logging add to a training step, against a bare loop over the same module, losses and optimiser.

    python tests/benchmarks/training_step.py sfsnet
    python tests/benchmarks/training_step.py sfsnet --logger csv --batch 16 --steps 60

Both see the same batches, made beforehand, so that data costs nothing. Blocks of steps of the two take turns, so that a
busy machine slows both alike; what counts is the median ratio of neighbouring blocks. The target is under 1.05.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor
from torch.utils.data import DataLoader

import zoo
from zoo.cards import load_card


class Turns(Callback):
    """Times blocks of Lightning's steps, and lets the bare loop have its block after each."""

    def __init__(self, bare: Callable[[int], float], block: int, warm: int) -> None:
        self.bare, self.block, self.warm = bare, block, warm
        self.pairs: list[tuple[float, float]] = []
        self.start = 0.0

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *rest: Any) -> None:
        step = trainer.global_step
        if step % self.block:
            return
        lightning = time.perf_counter() - self.start
        bare = self.bare(self.block)
        if step > self.warm:
            self.pairs.append((lightning, bare))
        self.start = time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument(
        "--small", action="store_true", help="the small version of the card's tests: shows the overhead alone"
    )
    parser.add_argument("--logger", choices=("csv", "none"), default="csv")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=48)
    parser.add_argument("--block", type=int, default=4)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    card = load_card(options.model)
    arguments = card.test.model if options.small else {}
    size = {} if options.small else {"size": card.size.train}
    batches = list(make_batches(card.test.data, batch_size=options.batch, train=4 * options.batch, **size))
    with tempfile.TemporaryDirectory() as folder:
        turns = Turns(bare_loop(card.name, arguments, batches), options.block, 2 * options.block)
        trainer = Trainer(
            max_steps=options.steps,
            max_epochs=-1,
            accelerator="cpu",
            logger=CSVLogger(folder) if options.logger == "csv" else False,
            callbacks=[turns],
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            default_root_dir=folder,
        )
        seed_everything(0, verbose=False)
        trainer.fit(zoo.create(card.name, **arguments), train_dataloaders=DataLoader(batches, batch_size=None))
    ratios = [lightning / bare for lightning, bare in turns.pairs]
    lightning, bare = (1000 * statistics.median(each) / options.block for each in zip(*turns.pairs, strict=True))
    shape = tuple(batches[0]["image"].shape)
    print(f"{card.name}, batches {shape}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"Lightning {lightning:.1f} ms a step, bare loop {bare:.1f} ms; median ratio {statistics.median(ratios):.3f}")


def make_batches(data: dict[str, Any], **changes: int) -> Iterator[dict[str, Tensor]]:
    """A few batches of the data that the card's tests use."""
    module, _, name = data["class_path"].rpartition(".")
    source = getattr(importlib.import_module(module), name)(**{**data["init_args"], **changes})
    source.prepare_data()
    source.setup("fit")
    yield from source.train_dataloader()


def bare_loop(name: str, arguments: dict[str, Any], batches: list[dict[str, Tensor]]) -> Callable[[int], float]:
    seed_everything(0, verbose=False)
    module = zoo.create(name, **arguments).train()
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)

    def run(steps: int) -> float:
        start = time.perf_counter()
        for number in range(steps):
            batch = batches[number % len(batches)]
            loss = module.total_loss(module.losses(module(batch["image"]), batch))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return time.perf_counter() - start

    return run


if __name__ == "__main__":
    main()
