"""What a person reads when training has ended: figures beside the trivial baselines, and where everything lies."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import torch
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from lightning_modules.base import ZooModule
from zoo.runs import Run

__all__ = ["baselines_metrics", "directions", "print_metrics", "print_places", "test_metrics", "write_metrics"]


def test_metrics(trainer: Trainer, model: LightningModule, data: LightningDataModule) -> dict[str, float]:
    """The test metrics of a module, by their names without ``test/``."""
    found = trainer.test(model, datamodule=data, verbose=False)
    return {key.removeprefix("test/"): float(value) for values in found for key, value in values.items()}


@torch.no_grad()
def baselines_metrics(model: LightningModule, data: LightningDataModule) -> dict[str, dict[str, float]]:
    """The same metrics of each of the model's trivial baselines, by its name; empty where it has none."""
    if not isinstance(model, ZooModule):
        return {}
    baselines = model.baselines(data)
    if not baselines:
        return {}
    metrics = {name: model.metrics() for name in baselines}
    for batch in data.test_dataloader():
        for name, baseline in baselines.items():
            metrics[name].update(baseline.predict(batch), batch)
    return {name: {key: float(value) for key, value in each.compute().items()} for name, each in metrics.items()}


def print_metrics(
    title: str, ours: Mapping[str, float], baselines: Mapping[str, Mapping[str, float]], better: Mapping[str, bool]
) -> None:
    """A table of metrics, those of each baseline beside them.

    Where only some metrics have a figure, those of which nothing is known, because the data does not tell it, are named
    below the table.

    Args:
        title: What was measured, above the table.
        ours: The model's figures.
        baselines: The figures of each baseline, by its name; each has a column.
        better: Whether higher is better, where it is known.
    """
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", title_style="bold")
    table.add_column("metric", no_wrap=True)
    table.add_column("model", justify="right", no_wrap=True)
    for name in baselines:
        table.add_column(name, justify="right")
    table.add_column("better is", style="dim")
    shown = [key for key in ours if key != "loss" and not key.startswith("loss_")]
    known = [key for key in shown if not all(map(math.isnan, _row(key, ours, baselines)))]
    for key in known or shown:
        theirs = [f"{each[key]:.4g}" if key in each else "-" for each in baselines.values()]
        better_is = {True: "higher", False: "lower"}.get(better.get(key), "")  # type: ignore[arg-type]
        table.add_row(key, f"{ours[key]:.4g}", *theirs, better_is)
    console = Console(highlight=False)
    console.print(table)
    if 0 < len(known) < len(shown):
        console.print(f"not in this data: {', '.join(key for key in shown if key not in known)}", style="dim")


def _row(key: str, ours: Mapping[str, float], baselines: Mapping[str, Mapping[str, float]]) -> list[float]:
    return [ours[key], *(each[key] for each in baselines.values() if key in each)]


def directions(model: LightningModule) -> dict[str, bool]:
    """Whether higher is better, by metric, as the metrics themselves say."""
    if not isinstance(model, ZooModule):
        return {}
    inner = {key: getattr(metric, "metric", metric) for key, metric in model.metrics().items()}
    return {key: metric.higher_is_better for key, metric in inner.items() if metric.higher_is_better is not None}


def write_metrics(run: Run, ours: Mapping[str, float], baselines: Mapping[str, Mapping[str, float]]) -> None:
    """Keep the table as ``test.json`` in the run's folder; what is not finite, which JSON does not know, is null."""
    content = {"model": _finite(ours), "baselines": {name: _finite(each) for name, each in baselines.items()}}
    (run.folder / "test.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _finite(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {key: value if math.isfinite(value) else None for key, value in figures.items()}


def print_places(places: Mapping[str, object]) -> None:
    """One line each: what, and where it lies or how it is used. Lines are not wrapped, so that they can be copied."""
    width = max(map(len, places))
    for name, place in places.items():
        print(f"{name:<{width}}  {place}")
