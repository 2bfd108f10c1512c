"""The authors' SfSNet weights to ours: the Caffe HDF5 release and the PyTorch port with the same layer names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from zoo.errors import UserError

__all__ = ["convert", "detect"]

_CAFFE_LAYER = re.compile(r"^(?:data/)?([A-Za-z]\w*)/([012])$")
_CAFFE_RESIDUAL = re.compile(r"^([na])(bn|conv)([1-5])(r?)$")
_UPSAMPLING = ("nup6", "aup6")


def detect(keys: Iterable[str]) -> bool:
    """Whether these names are those of an SfSNet checkpoint, Caffe's (``conv1/0``) or the port's (``conv1.weight``)."""
    layers = {m[1] if (m := _CAFFE_LAYER.match(k)) else k.rsplit(".", 1)[0] for k in keys}
    return {"conv1", "nconv6", "aconv6", "Nconv0", "Aconv0", "lconv1", "fc_light"} <= layers


def convert(state: Mapping[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Turn the authors' tensors into constructor arguments and a state dict of ``SfSNet``.

    Args:
        state: Tensors by the names of the file: ``data/<layer>/<0|1|2>`` (the prefix may be missing), or the port's.

    Returns:
        Arguments (the width, whether normalisation is affine, and that albedo x shading is the picture as displayed)
        and tensors under the names of our module.

    Raises:
        UserError: A tensor is missing, unknown, or of an unexpected shape.
    """
    caffe = any(_CAFFE_LAYER.match(k) for k in state)
    tensors = _from_caffe(state) if caffe else dict(state)
    for layer in _UPSAMPLING:
        kernel = tensors.pop(f"{layer}.weight", None)
        if kernel is not None:
            _check_bilinear(layer, kernel)
    gains = {k: v for k, v in tensors.items() if _is_gain(k, tensors)}
    affine = any(not torch.equal(v, torch.full_like(v, float(k.endswith("weight")))) for k, v in gains.items())
    if not affine:
        tensors = {k: v for k, v in tensors.items() if k not in gains}
    arguments = {"width": int(tensors["conv1.weight"].shape[0]), "affine": affine, "encoding": "srgb"}
    return arguments, {f"network.{k}": v for k, v in tensors.items()}


def _is_gain(key: str, tensors: Mapping[str, Tensor]) -> bool:
    layer, _, leaf = key.rpartition(".")
    return leaf in ("weight", "bias") and f"{layer}.running_mean" in tensors


def _from_caffe(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Caffe's blobs by number: weight and bias, or (normalisation) sums of mean and variance with their scale."""
    layers: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        match = _CAFFE_LAYER.match(key)
        if match is None:
            raise UserError(f"'{key}' is no blob of a Caffe layer; SfSNet's file has names like data/conv1/0.")
        layers.setdefault(match[1], {})[match[2]] = value
    tensors: dict[str, Tensor] = {}
    for layer, blobs in layers.items():
        name = _port_name(layer)
        if "2" in blobs:
            scale = float(blobs["2"].reshape(-1)[0])
            factor = 1 / scale if scale else 0.0
            tensors[f"{name}.running_mean"] = blobs["0"].reshape(-1) * factor
            tensors[f"{name}.running_var"] = blobs["1"].reshape(-1) * factor
            tensors[f"{name}.num_batches_tracked"] = torch.tensor(0)
        else:
            tensors[f"{name}.weight"] = blobs["0"]
            if "1" in blobs:
                tensors[f"{name}.bias"] = blobs["1"].reshape(-1)
    return tensors


def _port_name(layer: str) -> str:
    """``nbn3r`` of the Caffe net is ``n_res3.bnr`` in the module: residual layers 1 to 5 have a block of their own."""
    match = _CAFFE_RESIDUAL.match(layer)
    return f"{match[1]}_res{match[3]}.{match[2]}{match[4]}" if match else layer


def _check_bilinear(layer: str, kernel: Tensor) -> None:
    taps = torch.tensor([0.25, 0.75, 0.75, 0.25], dtype=kernel.dtype)
    if not torch.allclose(kernel, torch.outer(taps, taps).expand_as(kernel), atol=1e-4):
        raise UserError(f"the upsampling kernel '{layer}' is not the bilinear one that SfSNet has; is this its file?")
