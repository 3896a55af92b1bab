"""The session transformer.

Kang and McAuley (2018), "Self-Attentive Sequential Recommendation": causal self-attention over the
last items, item embeddings shared by input and output (section III-E). Differences: pre-norm
blocks, positions counted from the newest item, and logits that are cosines over a temperature. To
these are added a bias per product, which learns popularity; a *repeat* term that raises products of
the session itself by their age, since in a store people buy again what they bought (Ren et al. 2019,
"RepeatNet"; here it is additive); and a *neighbour* term that raises what others acted on together
with the newest products (see ``stream.models.neighbours``): a product that few have acted on has
neighbours long before it has an embedding worth the name.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

_FIRST_STD = 0.02
#: Of ``domain.trail``, 0 for padding.
N_KINDS = 9
#: How many of the newest items have neighbours that count, and what each is worth to the next newer.
_N_ANCHORS = 10
_ANCHOR_DECAY = 0.8
#: Nearness counts by ``log(1 + steepness * nearness)``: the tenth common visitor says less than the first.
_STEEPNESS = 100.0


class Block(nn.Module):
    """Pre-norm self-attention and feed-forward, both residual."""

    def __init__(self, width: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.before_attention = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.merge = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Return ``float32[batch, query, width]``.

        The mask is ``bool[batch, 1, query, item]``; it may name only the newest positions as
        queries, and then only those are computed.
        """
        normed = self.before_attention(hidden)
        n_queries = mask.shape[2]
        query = self._heads(self.query(normed[:, -n_queries:]))
        key, value = self.key_value(normed).chunk(2, dim=-1)
        mixed = functional.scaled_dot_product_attention(
            query, self._heads(key), self._heads(value), attn_mask=mask
        )
        merged = self.merge(mixed.transpose(1, 2).flatten(2))
        hidden = hidden[:, -n_queries:] + self.dropout(merged)
        answer: Tensor = hidden + self.dropout(self.feed_forward(hidden))
        return answer

    def _heads(self, values: Tensor) -> Tensor:
        n_rows, length, width = values.shape
        return values.view(n_rows, length, self.n_heads, width // self.n_heads).transpose(1, 2)


class SessionTransformer(nn.Module):
    """Scores every product as the next one of a session.

    Args:
        n_products: Products of the vocabulary; their indices are 1 to ``n_products``, 0 pads.
        temperature: Cosines are divided by it; the smaller, the more the best stand out.
        n_neighbours: Products known to go together with a product, at most.
        neighbour_weight: Of their term in the logits.

    Attributes:
        neighbours: ``int32[product, neighbour]``, 0 where there are fewer.
        nearness: ``float32[product, neighbour]``, 0 where there are fewer.
    """

    neighbours: Tensor
    nearness: Tensor

    def __init__(
        self,
        n_products: int,
        *,
        length: int,
        width: int,
        n_blocks: int,
        n_heads: int,
        dropout: float,
        temperature: float,
        n_neighbours: int,
        neighbour_weight: float = 0.0,
        reads_kinds: bool = True,
    ) -> None:
        super().__init__()
        self.n_products = n_products
        self.neighbour_weight = neighbour_weight
        self.products = nn.Embedding(n_products + 1, width, padding_idx=0)
        self.popularity = nn.Parameter(torch.zeros(n_products + 1))
        self.ages = nn.Parameter(torch.empty(length, width))
        self.kinds = nn.Embedding(N_KINDS, width) if reads_kinds else None
        self.repeats = nn.Parameter(torch.full((length,), 2.0))
        self.repeat_gate = nn.Linear(width, 1)
        self.blocks = nn.ModuleList(Block(width, n_heads, dropout) for _ in range(n_blocks))
        self.after = nn.RMSNorm(width, elementwise_affine=False)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("neighbours", torch.zeros(n_products + 1, n_neighbours).int())
        self.register_buffer("nearness", torch.zeros(n_products + 1, n_neighbours))
        # What the last norm leaves has a length of the square root of the width.
        self._length = temperature * width**0.5
        self._directions: Tensor | None = None
        nn.init.normal_(self.products.weight[1:], std=_FIRST_STD)
        nn.init.normal_(self.ages, std=_FIRST_STD)
        if self.kinds is not None:
            nn.init.zeros_(self.kinds.weight)

    def train(self, mode: bool = True) -> Self:
        """Forget what was computed of the weights: they are about to change, or have."""
        self._directions = None
        return super().train(mode)

    def forward(self, items: Tensor, kinds: Tensor) -> Tensor:
        """Return what each position expects next, ``float32[batch, item, width]``.

        Both arguments are ``int64[batch, item]``: indices, and what was done with each.
        """
        return self._read(items, kinds, n_queries=items.shape[1])

    def score(self, items: Tensor, kinds: Tensor) -> Tensor:
        """Return the logit of each product as the next one, ``float32[batch, product]``.

        Column ``i`` belongs to index ``i + 1``. Leading columns that pad every row are cut, and
        the last block looks from the newest position only; both leave the result as it is.
        """
        items, kinds = used(items, kinds)
        newest = self.newest(items, kinds)
        logits = torch.addmm(self.popularity, newest, self._every_direction().T)
        self.raise_known(logits, newest, items)
        return logits[:, 1:]

    def newest(self, items: Tensor, kinds: Tensor) -> Tensor:
        """Return what the newest position expects next, ``float32[batch, width]``."""
        return self._read(items, kinds, n_queries=1)[:, -1]

    def raise_known(self, logits: Tensor, newest: Tensor, items: Tensor) -> None:
        """Add the repeat and neighbour terms of *items* to *logits*, ``float[batch, index]``, in place.

        The logits may be of half precision, and have columns that belong to no index at their end.
        """
        raised = self.repeat_strength(newest) * self.repeats[-items.shape[1] :]
        logits.scatter_add_(1, items, raised.to(logits.dtype))
        if self.neighbour_weight:
            self._raise_neighbours(logits, items[:, -_N_ANCHORS:])

    def directions(self, products: Tensor) -> Tensor:
        """Return what a position's answer is multiplied with, ``float32[..., width]``.

        Its products with it are cosines over the temperature.
        """
        answer: Tensor = functional.normalize(self.products(products), dim=-1) / self._length
        return answer

    def repeat_strength(self, hidden: Tensor) -> Tensor:
        """Return how much a position leans on its own session, ``float32[..., 1]``."""
        return functional.softplus(self.repeat_gate(hidden))

    def _every_direction(self) -> Tensor:
        """Return the directions of all indices, computed once while the weights stay as they are."""
        if self._directions is None or self.training:
            every = torch.arange(self.n_products + 1, device=self.products.weight.device)
            self._directions = self.directions(every).detach()
        return self._directions

    def _raise_neighbours(self, logits: Tensor, anchors: Tensor) -> None:
        """Add the neighbour term of *anchors*, ``int64[batch, item]``, newest last, to *logits*."""
        age = torch.arange(anchors.shape[1] - 1, -1, -1, device=anchors.device)
        near = (self.nearness[anchors] * (_ANCHOR_DECAY**age)[:, None]).flatten(1)
        which = self.neighbours[anchors].long().flatten(1)
        before = logits.gather(1, which)
        # The places of the neighbours are where their nearness is summed: memory for a sum of each
        # product costs more than the term. Who stands there twice has the same value at both.
        summed = logits.scatter_(1, which, 0.0).scatter_add_(1, which, near.to(logits.dtype))
        worth = torch.log1p(_STEEPNESS * summed.gather(1, which).float())
        raised = torch.add(before, worth, alpha=self.neighbour_weight)
        logits.scatter_(1, which, raised.to(logits.dtype))

    def _read(self, items: Tensor, kinds: Tensor, *, n_queries: int) -> Tensor:
        length = items.shape[1]
        entered = self.products(items) + self.ages[-length:]
        if self.kinds is not None:
            entered = entered + self.kinds(kinds)
        hidden = self.dropout(entered)
        itself = torch.eye(length, dtype=torch.bool, device=items.device)
        earlier = torch.ones_like(itself).tril()
        mask = earlier & ((items != 0)[:, None, None, :] | itself)
        for block in self.blocks[:-1]:
            hidden = block(hidden, mask)
        hidden = self.blocks[-1](hidden, mask[:, :, -n_queries:])
        answer: Tensor = self.after(hidden)
        return answer


def used(items: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
    """Return both without the leading columns that pad every row."""
    first = int((items != 0).any(dim=0).to(torch.int8).argmax())
    return items[:, first:], kinds[:, first:]
