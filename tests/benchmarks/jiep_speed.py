"""How fast JieP is, and how near it comes to a sparse factorisation and to results from elsewhere.

    python tests/benchmarks/jiep_speed.py PICTURE…                       ours and SciPy's factorisation
    python tests/benchmarks/jiep_speed.py PICTURE… --results FOLDER      and FOLDER/<name of the picture>.mat

A result file holds I and R, (H,W) each, and `cpu`, the seconds of processor time that they took. Times are processor
time of one thread, so that they hold on a busy machine too.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Literal

import torch
from scipy.io import loadmat
from torch import Tensor

from lightning_modules.jiep.module import JieP
from lightning_modules.jiep.retinex import Split
from zoo.imaging import read_image


def timed(solver: Literal["multigrid", "direct"], image: Tensor) -> tuple[Split, float]:
    """A split, and the seconds of processor time that it took."""
    model, start = JieP(solver=solver), time.process_time()
    split = model.decompose(image)
    return split, time.process_time() - start


def distance(ours: Split, illumination: Tensor, reflectance: Tensor) -> str:
    """The largest and the mean absolute differences of I and R."""
    pairs = {"I": (ours.illumination[0], illumination), "R": (ours.reflectance[0], reflectance)}
    errors = {name: (a - b).abs() for name, (a, b) in pairs.items()}
    return ", ".join(f"{name} max {error.max():.1e} mean {error.mean():.1e}" for name, error in errors.items())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--results", type=Path, help="folder of .mat files to compare with")
    parser.add_argument("--no-direct", action="store_true", help="leave out the factorisation, which is slow")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for path in options.pictures:
        image = read_image(path)[None]
        ours, seconds = timed("multigrid", image)
        means = f"mean I {ours.illumination.mean():.4f} R {ours.reflectance.mean():.4f}"
        height, width = image.shape[-2:]
        print(f"{path.name} {width} x {height}: {seconds:.2f} s, {ours.iterations.item()} iterations, {means}")
        if not options.no_direct:
            exact, theirs = timed("direct", image)
            apart = distance(ours, exact.illumination[0], exact.reflectance[0])
            print(f"  factorisation {theirs:.2f} s, {theirs / seconds:.2f} times as long as ours; {apart}")
        file = options.results / f"{path.stem}.mat" if options.results else None
        if file is not None:
            result = loadmat(file)
            apart = distance(ours, torch.from_numpy(result["I"]), torch.from_numpy(result["R"]))
            theirs = float(result["cpu"].item())
            print(f"  {file.name} {theirs:.2f} s, {theirs / seconds:.2f} times as long as ours; {apart}")


if __name__ == "__main__":
    main()
