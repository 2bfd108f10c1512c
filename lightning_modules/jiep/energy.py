"""The energy that JieP lowers, term by term."""

from __future__ import annotations

from torch import Tensor

from lightning_modules.jiep.filters import box_mean, gradient_x, gradient_y
from lightning_modules.jiep.retinex import Constants

__all__ = ["energy_terms"]


def energy_terms(
    s: Tensor, illumination: Tensor, reflectance: Tensor, bright: Tensor, constants: Constants
) -> dict[str, Tensor]:
    """The four terms of E(I, R), unweighted, as means over pixels and pictures.

    Args:
        s: (B,H,W), the brightest channel; the others likewise.
        illumination: I.
        reflectance: R.
        bright: B.
        constants: For window and epsilon.

    Returns:
        fidelity: (I R - S)²; shape: the relative deviation of the gradients of I, ``|g / mean g|``, x plus y, where
        the mean is at least epsilon; texture: absolute gradients of R, x plus y; illumination: (I - B)².
    """
    shape = 0.0 * illumination
    texture = shape
    for gradient in (gradient_x, gradient_y):
        g = gradient(illumination)
        shape = shape + (g.abs() / box_mean(g, constants.window).abs().clamp_min(constants.epsilon))
        texture = texture + gradient(reflectance).abs()
    terms = {
        "fidelity": (illumination * reflectance - s).square(),
        "shape": shape,
        "texture": texture,
        "illumination": (illumination - bright).square(),
    }
    return {name: term.mean() for name, term in terms.items()}
