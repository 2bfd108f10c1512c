"""How near the landmark network comes to the true points of photographs, and whether the detector finds the faces.

    python tests/benchmarks/landmarks.py FOLDER
    python tests/benchmarks/landmarks.py FOLDER --weights runs/face_landmarks/…/best.safetensors -o out

FOLDER holds photos with five true points each: ``name.jpg`` beside ``name.txt``, as ``zoo.faces.read_landmarks`` reads
them. The error of a face is the mean distance over its five points (eyes' centres, tip of the nose, corners of the
mouth) in per cent of the distance between the true centres of the eyes. It is measured from the true crop, from crops
that miss it as a bad detector would, and from the detector's own box; beside it stands the mean shape of the face
model, put into the same crops. Then the detector: every photo and the astronaut of scikit-image as they are, mirrored,
half as bright (as encoded, and in linear light) and half as large, and pictures without a face. With ``-o`` the points
are drawn. Times are those of the processor on one thread, so that a busy machine does not matter much.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zoo.faces import Face, crop_box_from_landmarks, detect_faces, five_points, read_landmarks, square_crop
from zoo.faces.landmarks import LandmarkNetwork, draw_landmarks, find_landmarks, load_network, shipped_network
from zoo.imaging import contact_sheet, linear_to_srgb, read_image, srgb_to_linear, write_image
from zoo.morphable import MorphableModel

FACELESS = ("coffee", "chelsea", "brick", "grass")
VARIANTS: dict[str, Callable[[Tensor], Tensor]] = {
    "as it is": lambda image: image,
    "mirrored": lambda image: image.flip(-1),
    "half as bright, encoded": lambda image: image * 0.5,
    "half as bright, linear": lambda image: linear_to_srgb(srgb_to_linear(image) * 0.5),
    "half as large": lambda image: torch.nn.functional.interpolate(
        image[None], scale_factor=0.5, mode="bilinear", antialias=True
    )[0],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path, help="of the landmark network; the shipped ones by default")
    parser.add_argument("--crops", type=int, default=16, help="crops that miss the face, of each photo")
    parser.add_argument("--no-detector", action="store_true", help="landmarks alone")
    parser.add_argument("-o", "--output", type=Path, help="folder for pictures with the points drawn")
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = load_network(options.weights) if options.weights else shipped_network()
    photos = {name: (image, points) for name, image, points in portraits(options.folder)}
    landmark_table(photos, network, options.crops, detect=not options.no_detector)
    speed(photos, network)
    if not options.no_detector:
        detector_tables({name: image for name, (image, _) in photos.items()}, photos)
    if options.output:
        draw(photos, network, options.output)


def portraits(folder: Path) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Name, picture and five true points of each photo."""
    for path in sorted(folder.glob("*.txt")):
        image = read_image(path.with_suffix(".jpg"))
        yield path.stem, image, five_points(read_landmarks(path, image))


def framed(points: Tensor, shift: tuple[float, float] = (0, 0), scale: float = 1.0, roll: float = 0.0) -> Face:
    """The face that a detector would have reported that misses the true crop by so much."""
    x, y, side = crop_box_from_landmarks(points).tolist()
    x, y, half = x + shift[0] * side, y + shift[1] * side, scale * side / 2
    return Face((x - half, y - half, x + half, y + half), 1.0, roll=roll, framed=True)


def bad_frames(points: Tensor, count: int, seed: int = 0) -> list[Face]:
    """Crops off by up to 15 % of their side along each axis, by 0.75 to 1.35 in size, by up to 30 degrees."""
    random = np.random.default_rng(seed)
    low, high = math.log(0.75), math.log(1.35)
    faces = []
    for x, y, size, roll in random.uniform(-1, 1, (count, 4)):
        scale = math.exp((low + high) / 2 + size * (high - low) / 2)
        faces.append(framed(points, (0.15 * x, 0.15 * y), scale, math.radians(30) * roll))
    return faces


def errors(found: Tensor, points: Tensor) -> Tensor:
    """Of each of the five points, in per cent of the distance between the true eyes."""
    return 100 * (five_points(found) - points).norm(dim=-1) / (points[1] - points[0]).norm()


def mean_shape() -> Tensor:
    """The mean landmarks (68, 2) of the procedural face from the front, in sides of the crop around its middle."""
    with torch.no_grad():
        flat = MorphableModel.load("procedural")()["landmarks"][0, :, :2] * torch.tensor([1.0, -1.0])
    x, y, side = crop_box_from_landmarks(flat).tolist()
    return (flat - torch.tensor([x, y])) / side


def placed(shape: Tensor, face: Face) -> Tensor:
    cos, sin = math.cos(face.roll), math.sin(face.roll)
    return shape @ torch.tensor([[cos, sin], [-sin, cos]]) * face.side + torch.tensor(face.centre)


def landmark_table(
    photos: dict[str, tuple[Tensor, Tensor]], network: LandmarkNetwork, count: int, *, detect: bool
) -> None:
    shape = mean_shape()
    print("\nError in % of the distance between the eyes (mean of five points)\n")
    print("| photo | true crop | bad crops | worst bad crop | detector | expected | score | mean shape, bad crops |")
    print("|---|---|---|---|---|---|---|---|")
    columns: list[list[float]] = []
    for name, (image, points) in photos.items():
        face = find_landmarks(image, framed(points), network)
        bad = bad_frames(points, count)
        missed = [float(errors(find_landmarks(image, each, network).landmarks, points).mean()) for each in bad]
        trivial = [float(errors(placed(shape, each), points).mean()) for each in bad]
        detected = math.nan
        if detect:
            found = [each for each in detect_faces(image, "cascade") if each.landmarks is not None]
            found = [find_landmarks(image, each, network) for each in found]
            detected = min((float(errors(each.landmarks, points).mean()) for each in found), default=math.inf)
        row = [
            float(errors(face.landmarks, points).mean()), statistics.mean(missed), max(missed), detected,
            face.error or math.nan, face.score, statistics.mean(trivial),
        ]  # fmt: skip
        columns.append(row)
        print_row(name, row)
    print_row("mean", [statistics.mean(column) for column in zip(*columns, strict=True)])
    print_row("largest", [max(column) for column in zip(*columns, strict=True)])


def print_row(name: str, row: list[float]) -> None:
    print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in row) + " |")


def speed(photos: dict[str, tuple[Tensor, Tensor]], network: LandmarkNetwork) -> None:
    """Processor time on one core: of the network on one crop, and of ``find_landmarks``, which asks it three times."""
    crop = torch.rand(1, 3, network.size, network.size)
    image, points = next(iter(photos.values()))
    face = framed(points)

    def once(call: Callable[[], object], rounds: int = 30) -> float:
        times = []
        for _ in range(rounds):
            start = time.thread_time()
            call()
            times.append(1000 * (time.thread_time() - start))
        return statistics.median(times[3:])

    with torch.inference_mode():
        alone = once(lambda: network(crop))
    whole = once(lambda: find_landmarks(image, face, network))
    parameters = sum(p.numel() for p in network.parameters())
    print(f"\n{parameters:,} parameters; one thread: {alone:.1f} ms for the network, {whole:.1f} ms for find_landmarks")


def detector_tables(images: dict[str, Tensor], photos: dict[str, tuple[Tensor, Tensor]]) -> None:
    images = {**images, "astronaut": sample("astronaut")}
    print("\nFaces found (score, expected error, seconds)\n")
    print("| photo | " + " | ".join(VARIANTS) + " |")
    print("|---" * (1 + len(VARIANTS)) + "|")
    found = extra = 0
    for name, image in images.items():
        cells = []
        for title, change in VARIANTS.items():
            faces, seconds = timed(change(image))
            hits = [face for face in faces if is_right(face, name, photos.get(name), image.shape[-1], title)]
            found, extra = found + bool(hits), extra + len(faces) - bool(hits)
            cells.append(told(faces, hits, seconds))
        print(f"| {name} | " + " | ".join(cells) + " |")
    total = len(images) * len(VARIANTS)
    print(f"\n{found} of {total} found, {extra} others beside them.\n")
    print("| without a face | found | seconds |\n|---|---|---|")
    for name in FACELESS:
        faces, seconds = timed(sample(name))
        print(f"| {name} | {len(faces)} | {seconds:.2f} |")


def timed(image: Tensor) -> tuple[list[Face], float]:
    start = time.thread_time()
    faces = detect_faces(image, "cascade")
    return faces, time.thread_time() - start


def told(faces: list[Face], hits: list[Face], seconds: float) -> str:
    if not hits:
        return f"MISSED ({len(faces)} elsewhere, {seconds:.2f} s)"
    face = hits[0]
    expected = "no points" if face.error is None else f"{face.error:.1f} %"
    more = f" +{len(faces) - 1}" if len(faces) > 1 else ""
    return f"{face.score:.2f}, {expected}, {seconds:.2f} s{more}"


def is_right(face: Face, name: str, truth: tuple[Tensor, Tensor] | None, width: int, variant: str) -> bool:
    """Whether the middle of the true face lies well inside the box, and the sizes agree."""
    if truth is None:  # the astronaut's face, by eye
        x, y, side = 221.0, 115.0, 100.0 * 3.1 / 2.63
    else:
        x, y, side = crop_box_from_landmarks(truth[1]).tolist()
    if variant == "mirrored":
        x = width - 1 - x
    if variant == "half as large":
        x, y, side = x / 2, y / 2, side / 2
    near = math.hypot(face.centre[0] - x, face.centre[1] - y) < 0.25 * side
    return near and 0.6 < face.side * 3.1 / 2.63 / side < 1.6


def sample(name: str) -> Tensor:
    import skimage.data

    pixels = torch.from_numpy(np.atleast_3d(getattr(skimage.data, name)()))
    return pixels.permute(2, 0, 1)[:3].expand(3, -1, -1).float() / 255


def draw(photos: dict[str, tuple[Tensor, Tensor]], network: LandmarkNetwork, folder: Path) -> None:
    """Each face large with its 68 points, from the detector's box; the colour of a point says its expected error."""
    crops, titles = [], []
    for name, image in {
        **{name: image for name, (image, _) in photos.items()},
        "astronaut": sample("astronaut"),
    }.items():
        for number, face in enumerate(detect_faces(image, "cascade")):
            face = find_landmarks(image, face, network)
            picture, crop = square_crop(image, face, 480, align=True)
            drawn = draw_landmarks(picture[None], crop.to_crop(face.landmarks)[None])[0]
            crops.append(drawn)
            titles.append(f"{name}: score {face.score:.2f}, expected {face.error:.1f} %")
            write_image(folder / f"{name}-{number}.png", drawn)
    write_image(folder / "all.png", contact_sheet(crops, titles, columns=4, tile=480))


if __name__ == "__main__":
    main()
