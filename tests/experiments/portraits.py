"""What a network of face intrinsics does to portraits: a table of checks, and a sheet to look at.

``python tests/experiments/portraits.py OUT FOLDER [--weights TAG_OR_FILE]``; FOLDER: pictures and their five points.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from portraits import measure, portraits

import zoo
from zoo.imaging import contact_sheet, display, write_image


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", default=None)
    arguments = parser.parse_args()
    model = zoo.load("sfsnet", weights=arguments.weights)
    tiles, titles, rows = [], [], []
    for name, image, landmarks in portraits(arguments.folder, model.size):
        rows.append((name, measure(model, image, landmarks)))
        with torch.no_grad():
            layers = model(image[None])
            shown = {key: display(key, layers[key]) for key in ("normal", "albedo", "shading", "reconstruction")}
        shown = {"picture": image[None], **shown, **model.views(layers)}
        tiles += [picture[0] for picture in shown.values()]
        titles += [name if key == "picture" else key for key in shown]
    print("| portrait | " + " | ".join(rows[0][1]) + " |\n|" + "---|" * (len(rows[0][1]) + 1))
    for name, values in rows:
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in values.values()) + " |")
    medians = torch.tensor([list(values.values()) for _, values in rows]).median(0).values
    print("| median | " + " | ".join(f"{value:.2f}" for value in medians.tolist()) + " |")
    path = arguments.out / "portraits.png"
    write_image(path, contact_sheet(tiles, titles, columns=len(tiles) // len(rows), tile=160))
    print(path)


if __name__ == "__main__":
    main()
