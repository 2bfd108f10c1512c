"""How well embeddings tell whether two pictures show one person, over all pairs of held-out pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

__all__ = ["VerificationAUC", "VerificationAccuracy"]


class _Pairs(Metric):
    """Collects embeddings and people; the batch is a prediction and the truth, by the contract's names."""

    full_state_update = False
    higher_is_better = True
    embedding: list[Tensor]
    person: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("embedding", [], dist_reduce_fx="cat")
        self.add_state("person", [], dist_reduce_fx="cat")

    def update(self, prediction: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> None:
        """Take in one batch."""
        self.embedding.append(prediction["embedding"].detach().float())
        self.person.append(batch["person"])

    def similarities(self) -> tuple[Tensor, Tensor]:
        """Sorted cosines of the pairs of one person, and of those of two people."""
        embedding, person = dim_zero_cat(self.embedding), dim_zero_cat(self.person)
        first, second = torch.triu_indices(len(person), len(person), 1, device=person.device)
        with torch.autocast(embedding.device.type, enabled=False):
            cosine = (embedding @ embedding.T)[first, second]
        same = person[first] == person[second]
        return cosine[same].sort().values, cosine[~same].sort().values


class VerificationAUC(_Pairs):
    """Chance, in per cent, that a pair of one person is more alike than a pair of two people; ties count half.

    NaN where there are not both kinds of pairs.
    """

    def compute(self) -> Tensor:
        """Over all pairs."""
        same, other = self.similarities()
        below, not_above = (torch.searchsorted(other, same, right=right).double() for right in (False, True))
        return (100 * ((below + not_above) / 2).mean() / len(other)).float()


class VerificationAccuracy(_Pairs):
    """Share of pairs, in per cent, that are told right at the best threshold; both kinds of pairs weigh the same.

    NaN where there are not both kinds of pairs.
    """

    def compute(self) -> Tensor:
        """Over all pairs."""
        same, other = self.similarities()
        if not len(same) or not len(other):
            return torch.tensor(torch.nan)
        thresholds = torch.cat((same, other)).contiguous()
        accepted = 1 - torch.searchsorted(same, thresholds).double() / len(same)
        refused = torch.searchsorted(other, thresholds).double() / len(other)
        return (50 * (accepted + refused).max()).float()
