"""The same pictures through the authors' code, run elsewhere: what it gave is written down here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from skimage import data
from torch import Tensor
from torch.testing import assert_close

from lightning_modules.jiep.module import JieP

RESULTS = Path(__file__).with_name("authors_results.json")
PICTURES = ("astronaut", "coffee", "chelsea")


def authors_results(picture: str) -> tuple[Tensor, dict[str, Any]]:
    """A picture (1,3,H,W) in [0, 1], and what the authors' code makes of it."""
    results = json.loads(RESULTS.read_text())["pictures"][picture]
    rows, columns = slice(*results["rows"]), slice(*results["columns"])
    pixels = torch.from_numpy(getattr(data, picture)()[rows, columns].copy())
    return pixels.permute(2, 0, 1)[None].float() / 255, results


@pytest.mark.parametrize("picture", PICTURES)
def test_equals_the_authors_code_with_an_exact_solver(picture: str) -> None:
    image, results = authors_results(picture)
    theirs = results["exact"]
    ours = JieP()(image)
    assert_close(ours["bright"].mean().item(), theirs["mean_bright"], atol=1e-5, rtol=0)
    for key in ("illumination", "reflectance"):
        sampled = ours[key][0, 0, 8::16, 8::16]
        assert_close(sampled, torch.tensor(theirs[key]), atol=1e-3, rtol=0)
        assert_close(ours[key].mean().item(), theirs[f"mean_{key}"], atol=2e-5, rtol=0)


@pytest.mark.parametrize("picture", PICTURES)
def test_every_iteration_changes_as_much_as_theirs(picture: str) -> None:
    image, results = authors_results(picture)
    changes = torch.tensor(results["exact"]["changes"])
    for rounds in (1, 2, len(changes)):
        split = JieP(max_iterations=rounds).decompose(image)
        assert split.iterations.tolist() == [rounds]
        assert_close(split.changes[0].float(), changes[rounds - 1], atol=1e-5, rtol=1e-3)
    split = JieP().decompose(image)
    assert split.iterations.tolist() == [len(changes)]


@pytest.mark.parametrize("picture", PICTURES)
def test_comes_near_the_code_as_released(picture: str) -> None:
    """Its solver stops at a residual of one per cent, and that is about how far the two lie apart."""
    image, results = authors_results(picture)
    theirs = results["released"]
    ours = JieP()(image)
    for key in ("illumination", "reflectance"):
        error = (ours[key][0, 0, 8::16, 8::16] - torch.tensor(theirs[key])).abs()
        assert 1e-4 < error.mean() < 0.01
        assert error.max() < 0.06
        assert_close(ours[key].mean().item(), theirs[f"mean_{key}"], atol=0, rtol=2e-3)
