"""The large-margin cosine loss over the people of a training set."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.errors import UserError

__all__ = ["MarginSoftmax"]


class MarginSoftmax(nn.Module):
    """Cross-entropy over cosines to one direction for each person, the right one's lessened by a margin.

    Args:
        persons: How many people there are, numbered from 0.
        embedding: Size of the embeddings.
        scale: What cosines are multiplied with.
        margin: What is taken off the cosine to the right person.

    Source: Wang et al., CosFace, CVPR 2018, equation 4.
    """

    def __init__(self, persons: int, embedding: int, scale: float, margin: float) -> None:
        super().__init__()
        # only the direction counts, but short vectors turn faster under Adam's steps of a fixed length
        self.directions = nn.Parameter(0.05 * torch.randn(persons, embedding))
        self.scale, self.margin = scale, margin

    def forward(self, embedding: Tensor, person: Tensor, strength: float = 1.0) -> Tensor:
        """The mean loss of a batch.

        Args:
            embedding: (B,K) of unit length.
            person: (B,) int64.
            strength: Share of the margin, from 0 to 1.

        Raises:
            UserError: A person's number is beyond those that there are.
        """
        count = len(self.directions)
        if int(person.max()) >= count:
            raise UserError(
                f"a batch has person {int(person.max())}, but the model learns {count} people; raise --model.persons."
            )
        with torch.autocast(embedding.device.type, enabled=False):
            cosine = embedding.float() @ F.normalize(self.directions.float(), dim=-1).T
            right = F.one_hot(person, count).to(cosine)
            return F.cross_entropy(self.scale * (cosine - strength * self.margin * right), person)
