"""What all tests share: a private home, and the folder of golden values where it exists."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Golden values, real portraits and a real face model; they lie beside the repository, not in it."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("the folder 'shared' with golden values and portraits does not lie beside the repository")
    return folder


@pytest.fixture(autouse=True, scope="session")
def _private_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing that a test makes lands in the user's cache, and no test depends on what lies there."""
    patch = pytest.MonkeyPatch()
    patch.setenv("ZOO_HOME", str(tmp_path_factory.mktemp("zoo_home")))
    patch.setenv("WANDB_MODE", "offline")
    yield
    patch.undo()
