"""Reconstructions held against scans: NoW and MICC Florence, each by its own protocol, beside the mean face.

    python tests/benchmarks/face_scans.py now --data.folder data/now
    python tests/benchmarks/face_scans.py micc --data.folder data/micc --weights epoch_20.pth --morphable bfm:PATH

Every photo is aligned by its landmarks (the zoo's own where none lie beside it) and reconstructed; pose and size are
not measured. NoW gives median, mean and standard deviation over all points of all scans, MICC the mean and standard
deviation over meshes of the root mean square distance within 95 mm of the tip of the nose; millimetres. The mean face
is zero coefficients of the same face model. A fit takes seconds on a CPU, so that NoW's validation part is an hour.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from torch import Tensor

import zoo
from datamodules.scan_photos import ScanPhotos, ScanSample
from lightning_modules.deep3dface.module import Deep3DFace
from zoo.faces import align_face
from zoo.faces.landmark_files import face_from_landmarks
from zoo.metrics import NowError, ScanError
from zoo.recipes import find_data
from zoo.training.data import make_data

METRICS = {"now": NowError, "micc": ScanError}


def main() -> None:
    """Reconstruct, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=tuple(METRICS))
    parser.add_argument("--weights", help="a file, or a tag of deep3dface's card; the shipped ones by default")
    parser.add_argument("--morphable", help="the face model that they belong to, such as bfm:PATH")
    parser.add_argument("--count", type=int, help="the first so many photos alone")
    options, overrides = parser.parse_known_args()
    given = {} if options.morphable is None else {"morphable": options.morphable}
    model = zoo.load("deep3dface", options.weights, **given)
    assert isinstance(model, Deep3DFace)
    data: Any = make_data(find_data(options.data), overrides)
    assert isinstance(data, ScanPhotos)
    data.prepare_data()
    ours, mean = METRICS[options.data](), METRICS[options.data]()
    face = model.decoder.model
    left_out = 0
    for number, sample in enumerate(data.samples()):
        if number == options.count:
            break
        vertices = reconstructed(model, sample)
        if vertices is None:
            left_out += 1
            continue
        for metric, mesh in ((ours, vertices), (mean, face.shape())):
            update(metric, mesh, face.landmarks(mesh), face.triangles, sample)
    if left_out:
        print(f"{left_out} photos without a face or without points on their scan are left out")
    for name, metric in (("reconstruction", ours), ("mean face", mean)):
        print(name + ": " + ", ".join(f"{key} {float(value):.3f} mm" for key, value in metric.compute().items()))


@torch.no_grad()
def reconstructed(model: Deep3DFace, sample: ScanSample) -> Tensor | None:
    """Vertices (1,V,3), or None where the photo has no landmarks or its scan has none."""
    if sample.landmarks is None or sample.scan.landmarks is None:
        return None
    crop, _ = align_face(sample.image, face_from_landmarks(sample.landmarks), model.size)
    return model(crop[None])["vertices"]


def update(
    metric: NowError | ScanError, mesh: Tensor, landmarks: Tensor, triangles: Tensor, sample: ScanSample
) -> None:
    """One mesh against its scan."""
    scan = sample.scan
    if isinstance(metric, NowError):
        metric.update(mesh, triangles, [scan.vertices], landmarks, [scan.landmarks])
    else:
        metric.update(mesh, triangles, [scan.vertices], [scan.nose_tip], landmarks, [scan.landmarks])


if __name__ == "__main__":
    main()
