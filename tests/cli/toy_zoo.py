"""``python toy_zoo.py VERB ...``: the command line with the toy's cards and configurations in place of the zoo's."""

from __future__ import annotations

import sys
from pathlib import Path

import zoo.cards
from zoo.cli import main

TOY = Path(__file__).parent / "toy"

if __name__ == "__main__":
    zoo.cards.CARDS, zoo.cards.CONFIGS = TOY / "cards", TOY / "configs"
    sys.exit(main())
