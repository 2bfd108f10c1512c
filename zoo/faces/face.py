"""What a detector says about one face."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

__all__ = ["Face"]


@dataclass(frozen=True)
class Face:
    """One face in a photo.

    Args:
        box: Left, top, right, bottom in pixels, as the detector drew it; the centre of the top-left pixel is (0, 0).
        score: How sure the detector is, in [0, 1].
        landmarks: (5, 2) or (68, 2) in pixels, or None. Five are the left eye, right eye, nose tip, left and right
            mouth corner as seen in the picture; 68 have the iBUG order.
        roll: How far the head is turned in the picture plane, radians, positive clockwise as seen.
        framed: Whether the box is the frame of the crop itself rather than what a detector drew around a face.
        error: The mean error of the landmarks that their finder expects, in per cent of the distance between the eyes;
            None where it does not say.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: Tensor | None = field(default=None, compare=False)
    roll: float = 0.0
    framed: bool = False
    error: float | None = None

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box, x and y."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2

    @property
    def side(self) -> float:
        """The longer side of the box."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])
