"""``zoo info MODEL``: a card as a page to read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from zoo.cards import ModelCard, load_card
from zoo.commands.arguments import Arguments
from zoo.files import human_bytes
from zoo.meanings import key_meanings
from zoo.recipes import list_recipes

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Print one card."""
    parser = Arguments(
        "info",
        "One model: its paper, what goes in and comes out, results, weights and licences.",
        "  python -m zoo info sfsnet\n  python -m zoo info sfsnet --json   the same for a script",
    )
    parser.add_argument("model", metavar="MODEL", help="a name from python -m zoo list")
    parser.add_argument("--json", action="store_true", help="the card's fields as JSON")
    options = parser.parse_args(arguments)
    card = load_card(options.model)
    if options.json:
        import dataclasses

        print(json.dumps(dataclasses.asdict(card), indent=2, default=str))
        return 0
    from rich.console import Console

    console = Console(highlight=False)
    for part in _page(card):
        console.print(part)
    return 0


def _page(card: ModelCard) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text.assemble((card.name, "bold"), f"  {card.family}, status: {card.status}")
    yield Text(card.summary)
    yield ""
    lines = ["none: a tool of the zoo's own"]
    if card.paper:
        lines = [f"{card.paper.title}. {card.paper.venue} {card.paper.year}", card.paper.authors, card.paper.url]
    facts = [("paper", line) for line in lines if line]
    if card.code:
        facts.append(("code", f"{card.code.repository} (licence: {card.code.licence})"))
    yield _entries(facts)
    yield ""
    yield _keys(card)
    yield _results(card) if card.results else ""
    yield _entries([("weights", line) for line in _weights(card)])
    yield ""
    if card.notes:
        yield _entries([("notes", f"- {' '.join(note.split())}") for note in card.notes])
        yield ""
    yield from _commands(card)


def _entries(entries: Sequence[tuple[str, str]]) -> RenderableType:
    """Titles in a narrow column, each said once, and text that wraps beside them."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", width=7)
    table.add_column()
    before = ""
    for title, text in entries:
        table.add_row("" if title == before else title, Text(text))
        before = title
    return table


def _keys(card: ModelCard) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    meanings = key_meanings()
    for title, keys in (("in", card.inputs), ("out", card.outputs)):
        for number, key in enumerate(keys):
            shape, meaning = meanings.get(key, ("", "see the module"))
            table.add_row("" if number else title, key, shape, meaning)
    size = f"sides of {card.size.min} pixels and more" + (
        f", multiples of {card.size.multiple}" if card.size.multiple > 1 else ""
    )
    found = {"crop": "; faces are found and cut out by predict", "align": "; faces are found and aligned by predict"}
    trained = f"trained at {card.size.train}; " if card.trainable else ""
    table.add_row("size", "", "", f"{trained}{size}{found.get(card.faces, '')}")
    return table


def _results(card: ModelCard) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("data", "metric", "better", "paper", "ours", "paper's value from"):
        table.add_column(column, justify="right" if column in ("paper", "ours") else "left")
    for row in card.results:
        unit = f", {row.unit}" if row.unit else ""
        values = ["-" if value is None else f"{value:g}" for value in (row.paper, row.ours)]
        table.add_row(row.dataset, f"{row.metric}{unit}", row.better, *values, row.evidence)
    return table


def _weights(card: ModelCard) -> Iterator[str]:
    if not card.trainable:
        yield "none needed; there is nothing to train"
    elif not card.weights:
        yield f"none yet; python -m zoo fit --model {card.name} trains some"
    for each in card.weights:
        default = " (default)" if each == card.default_weights else ""
        place = "shipped" if each.file else "to be downloaded"
        yield f"{each.tag}{default}: {human_bytes(each.bytes)}, {place}, licence: {each.licence}"
        yield f"  trained on {each.trained_on}" + (f" by: {each.command}" if each.command else "")
        if each.needs:
            yield "  needs " + " ".join(f"--model.{name} {what}" for name, what in each.needs.items())
        if each.metrics:
            yield "  " + ", ".join(f"{name} {value:.4g}" for name, value in each.metrics.items())


def _commands(card: ModelCard) -> Iterator[RenderableType]:
    from rich.text import Text

    for recipe in list_recipes(card.name) if card.trainable else ():
        option = "" if recipe == "quick" else f" --recipe {recipe}"
        yield Text(f"python -m zoo fit --model {card.name}{option}")
    if not card.trainable:
        yield Text(f"python -m zoo test --model {card.name}")
    yield Text(f"python -m zoo predict --model {card.name} photo.jpg -o out")
    if card.export.formats:
        yield Text(f"python -m zoo export --model {card.name} --format {card.export.formats[0]}")
