"""How often people wear what."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from zoo.errors import UserError

__all__ = ["WornRange"]


@dataclass(frozen=True)
class WornRange:
    """Shares of the samples that wear each kind of thing; 0 switches a kind off.

    Hair and glasses belong to a person, the rest to a picture.

    Args:
        hair: Hair that stands off the head; the others are bald or shaved.
        hats: Beanies, caps, brimmed hats and headscarves.
        glasses: Of all kinds; one pair in four has dark lenses.
        hands: A hand before the face, at times with a thing in it.
        clothes: Shoulders with a shirt, a collar or a scarf; the others show a bare neck that ends.
        masks: Face masks over nose and mouth.

    Raises:
        UserError: A share is not between 0 and 1.
    """

    hair: float = 0.85
    hats: float = 0.12
    glasses: float = 0.2
    hands: float = 0.08
    clothes: float = 0.9
    masks: float = 0.02

    def __post_init__(self) -> None:
        if not all(0 <= share <= 1 for share in astuple(self)):
            raise UserError("each share of the things that people wear must lie between 0 and 1.")

    @property
    def nothing(self) -> bool:
        """Whether nobody wears anything."""
        return not any(astuple(self))
