"""Who may import whom: the house has floors and no circles."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UPSTAIRS = (
    "pytorch_lightning",
    "datamodules",
    "lightning_modules",
    "zoo.cli",
    "zoo.commands",
    "zoo.hub",
    "zoo.training",
)
BLOCKS = ("render", "morphable", "faces", "geometry", "imaging", "losses", "meshes", "metrics", "nn")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)  # from zoo import hub


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in packages)


@pytest.mark.parametrize("block", BLOCKS)
def test_building_blocks_stand_on_the_ground_floor(block: str) -> None:
    files = list((ROOT / "zoo" / block).rglob("*.py"))
    assert files
    for path in files:
        assert not [name for name in imports(path) if within(name, UPSTAIRS)], path


def test_networks_can_be_lifted_out() -> None:
    for path in ROOT.glob("lightning_modules/*/network.py"):
        known = ("torch", "zoo.nn", "__future__", "collections")
        strangers = [name for name in imports(path) if not within(name, known)]
        assert not strangers, path


def test_data_modules_know_no_paper() -> None:
    for path in (ROOT / "datamodules").rglob("*.py"):
        assert not [name for name in imports(path) if within(name, ("lightning_modules", *UPSTAIRS[3:]))], path


def test_the_facade_imports_no_torch() -> None:
    code = "import sys, zoo, zoo.cards, zoo.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
