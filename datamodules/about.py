"""What is said about each kind of data: read from the top of ``configs/data/NAME.yaml``, where it is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from zoo.errors import UserError

__all__ = ["About", "about", "missing"]

_CONFIGS = Path(__file__).parents[1] / "configs" / "data"


@dataclass(frozen=True)
class About:
    """A data set in words.

    Args:
        title: Its name for people.
        synthetic: Whether the zoo makes it itself.
        licence: Under which terms data or pictures stand.
        terms: What one may do, in a sentence.
        where: Where it comes from.
        layout: The files that are expected, a line each.
    """

    title: str
    synthetic: bool
    licence: str
    terms: str
    where: str
    layout: str


def about(name: str) -> About:
    """The words about the data called ``name``, as ``--data`` knows it."""
    return About(**yaml.safe_load((_CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))["about"])


def missing(name: str, what: str) -> UserError:
    """What to say when data is not where it should be.

    Args:
        name: As ``--data`` knows it.
        what: What was looked for and not found, as a sentence without its full stop.
    """
    data = about(name)
    layout = "\n".join(f"  {line}" for line in data.layout.strip().splitlines())
    return UserError(
        f"{what}. {data.title}: {data.terms.strip()} "
        f"Get it from {data.where.strip()} It should look like this:\n{layout}"
    )
