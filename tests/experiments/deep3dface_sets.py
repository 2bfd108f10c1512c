"""Whether several pictures of a person give a better shape than one, and C-Net a better one than plain averaging.

    python tests/experiments/deep3dface_sets.py WEIGHTS
    python tests/experiments/deep3dface_sets.py WEIGHTS --device cuda --data.faces.test 2000 --data.faces.seed 7

``WEIGHTS`` is a tag or a file of deep3dface with a C-Net; the data are test sets of one person each whose true
coefficients are known, by default ``configs/data/face_sets.yaml``; ``--data.…`` changes what it says.

The shape error is that of the neutral face (identity alone): the mean distance between vertices of the face's front in
millimetres, after the best similarity. Single pictures count one by one, and the rest for each person; both are given
with the standard error over persons. The share of persons counts whose error is below that of the plain mean of their
coefficients. What follows tells what C-Net looks at.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import zoo
from datamodules import AlignedFaces
from lightning_modules.deep3dface.module import Deep3DFace
from lightning_modules.deep3dface.network import aggregate
from zoo.errors import UserError
from zoo.geometry import fit_similarity
from zoo.recipes import find_data
from zoo.training.data import make_data

MILLIMETRES = 100.0
"""In a decimetre, the unit of the decoder."""


@dataclass(frozen=True)
class Answers:
    """What R-Net and C-Net say of G persons with M pictures each, K coefficients, and the truth."""

    identity: Tensor
    """(G,M,K)"""
    confidence: Tensor
    """(G,M,K)"""
    truth: Tensor
    """(G,K)"""
    yaw: Tensor
    """(G,M) true, in degrees, without sign."""


@torch.no_grad()
def ask(module: Deep3DFace, data: AlignedFaces, device: torch.device) -> Answers:
    """All held-out sets of the data.

    Raises:
        UserError: The truth is of another face model.
    """
    data.prepare_data()
    data.setup("test")
    found: list[tuple[Tensor, ...]] = []
    for batch in data.test_dataloader():
        told = module(batch["image"].to(device))
        if batch["identity"].shape != told["identity"].shape:
            raise UserError("the sets are of another face model than the weights; give --data.faces.morphable.")
        yaw = batch["rotation"][:, 1].rad2deg().abs()
        each = (told["identity"], told["confidence_of_identity"], batch["identity"], yaw)
        found.append(tuple(value.cpu().unflatten(0, (-1, data.people)) for value in each))
    identity, confidence, truth, yaw = (torch.cat(values) for values in zip(*found, strict=True))
    return Answers(identity, confidence, truth[:, 0], yaw)


@torch.no_grad()
def shape_error(module: Deep3DFace, identity: Tensor, truth: Tensor) -> Tensor:
    """Millimetres (N,) between the neutral faces of identity coefficients (N,K) and the true ones (N,K)."""
    errors = []
    for ours, true in zip(identity.split(64), truth.split(64), strict=True):
        shapes = [neutral(module, each) for each in (ours, true)]
        moved = fit_similarity(*shapes)(shapes[0])
        errors.append(MILLIMETRES * (moved - shapes[1]).norm(dim=-1).mean(1))
    return torch.cat(errors)


def neutral(module: Deep3DFace, identity: Tensor) -> Tensor:
    """The front of faces without expression, (N,V,3) in decimetres."""
    still = identity.new_zeros(len(identity), module.sizes.expression)
    return module.front.shape(identity, still)[:, module.measured].double()


def ways(answers: Answers) -> dict[str, Tensor]:
    """Identity coefficients by every way: (G,K), or (G,M,K) where each picture has its own."""
    return {
        "mean face": torch.zeros_like(answers.truth),
        "single picture": answers.identity,
        "plain mean of coefficients": answers.identity.mean(1),
        "C-Net": aggregate(answers.identity, answers.confidence),
    }


def errors_by_way(module: Deep3DFace, answers: Answers) -> dict[str, Tensor]:
    """Shape errors (G,) by every way; single pictures have the mean of theirs."""
    found: dict[str, Tensor] = {}
    for name, identity in ways(answers).items():
        pictures = identity if identity.ndim == 3 else identity[:, None]
        truth = answers.truth[:, None].expand_as(pictures)
        error = shape_error(module, pictures.flatten(0, 1), truth.flatten(0, 1))
        found[name] = error.unflatten(0, pictures.shape[:2]).mean(1)
    return found


def print_table(errors: dict[str, Tensor]) -> None:
    """A Markdown table: error with its standard error, and who beats the plain mean."""
    plain = errors["plain mean of coefficients"]
    print(
        f"| {len(plain)} held-out persons | shape error, mm | better than the plain mean, % of persons |\n|---|---|---|"
    )
    for name, error in errors.items():
        share = "-" if error is plain else f"{100 * (error < plain).double().mean():.0f}"
        print(f"| {name} | {error.mean():.3f} ± {standard_error(error):.3f} | {share} |")
    gain = plain - errors["C-Net"]
    print(f"\nC-Net against the plain mean, by persons: {gain.mean():+.4f} ± {standard_error(gain):.4f} mm nearer")


def print_by_number(module: Deep3DFace, answers: Answers) -> None:
    """A Markdown table of the errors when fewer pictures of each person are used: the first ones of each set."""
    print("\n| pictures | plain mean, mm | C-Net, mm |\n|---|---|---|")
    for number in range(1, answers.identity.shape[1] + 1):
        identity, confidence = answers.identity[:, :number], answers.confidence[:, :number]
        both = (identity.mean(1), aggregate(identity, confidence))
        print(f"| {number} | " + " | ".join(f"{shape_error(module, x, answers.truth).mean():.3f}" for x in both) + " |")


def print_trust(answers: Answers) -> None:
    """What confidence goes with: how wrong a coefficient is, and how far the head is turned."""
    wrong = (answers.identity - answers.truth[:, None]).abs()
    trusted = answers.confidence
    places = (trusted.argmax(1, keepdim=True), trusted.argmin(1, keepdim=True))
    most, least = (wrong.gather(1, place).mean() for place in places)
    print(f"\ncoefficients of the most trusted picture err by {most:.3f}, of the least trusted by {least:.3f}")
    mean = trusted.mean(1, keepdim=True)
    print(f"confidence spreads over the pictures of a person by {(trusted / mean).std(1).mean():.3f} of its mean")
    trust = (trusted / mean).mean(2)
    link = torch.corrcoef(torch.stack((trust.flatten(), answers.yaw.flatten())))[0, 1]
    print(f"correlation of a picture's confidence with how far the head is turned aside: {link:.2f}")


def standard_error(values: Tensor) -> Tensor:
    """Of the mean."""
    return values.std() / len(values) ** 0.5


def main(arguments: Sequence[str] | None = None) -> None:
    """Ask, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="of deep3dface with a C-Net: a tag or a file")
    parser.add_argument("--data", default="face_sets", help="a name under configs/data, or a file like those")
    parser.add_argument("--device", default="cpu")
    options, overrides = parser.parse_known_args(arguments)
    device = torch.device(options.device)
    module = zoo.load("deep3dface", options.weights, perception="none").to(device)
    assert isinstance(module, Deep3DFace)
    if module.confidence is None:
        raise UserError(f"{options.weights} has no C-Net; train one with --model.learn sets.")
    file = Path(options.data)
    data = make_data(file if file.suffix == ".yaml" else find_data(options.data), overrides)
    if not isinstance(data, AlignedFaces) or not data.people:
        raise UserError(f"{options.data} does not give sets; configs/data/face_sets.yaml does.")
    answers = ask(module, data, device)
    module = module.cpu()
    print_table(errors_by_way(module, answers))
    print_by_number(module, answers)
    print_trust(answers)


if __name__ == "__main__":
    main()
