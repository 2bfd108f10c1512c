"""Data modules by name, outside of training: for ``zoo data``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from pytorch_lightning import LightningDataModule

from zoo.errors import UserError
from zoo.training.cli import parse_with_sentences

__all__ = ["make_data"]


def make_data(config: Path, overrides: Sequence[str]) -> LightningDataModule:
    """The data module that a file under ``configs/data`` describes.

    Args:
        config: The file.
        overrides: Arguments such as ``["--data.size", "64"]``.

    Raises:
        UserError: An argument is not one of its.
    """

    def build(parser: Any) -> None:
        parser.add_argument("--about", type=dict[str, Any] | None, default=None)
        parser.add_subclass_arguments(LightningDataModule, "data", required=True)

    try:
        made = parse_with_sentences(build, ["data", "--config", str(config), *overrides])
    except (ValueError, TypeError) as error:
        raise UserError(" ".join(str(error).split())) from error
    return cast("LightningDataModule", made["data"])
