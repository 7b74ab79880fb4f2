"""SAM's attention with its relative positions, exactly, and never as an N x N table.

SAM adds to the score of query and key a number for their distance in rows and one for their
distance in columns. Both depend on the query's content, so there are (rows + columns) numbers a
query, not N.

On the CPU the table is built for a few queries at a time, where it stays near the cache, and its
gradient is computed again part by part. Elsewhere the numbers are appended to the query, and the
key gets a one-hot code of its row and of its column: their product picks the two numbers, so the
device's fused kernel sees an ordinary attention.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# Scores in one part on the CPU: 16 MiB in fp32. Fewer queries a part and the kernel's own set-up
# shows; more and the table no longer stays near the cache.
SCORES = 1 << 22
QUERIES = 1024
# What the fused kernels of a GPU want a head's width to be a multiple of.
WIDTH = 8


def relative_attention(
    q: Tensor, k: Tensor, v: Tensor, rows: Tensor, columns: Tensor, *, grid: tuple[int, int]
) -> Tensor:
    """Attention of all positions of a grid to one another: (batch, N, d), N = grid rows x columns.

    q, k, v         (batch, N, d); the batch counts heads too
    rows, columns   the relative positions' tables, (2 * grid rows - 1, d) and so for columns
    """
    by_row, by_column = _biases(q, rows, columns, grid)
    if q.device.type == "cpu":
        return _InParts.apply(q, k, v, by_row, by_column)
    return attention_by_codes(q, k, v, by_row, by_column)


def attention_by_codes(
    q: Tensor, k: Tensor, v: Tensor, by_row: Tensor, by_column: Tensor
) -> Tensor:
    """One fused attention. by_row, by_column: (batch, N, grid rows) and (batch, N, grid columns)"""
    batch, length, width = q.shape
    height, across = by_row.shape[-1], by_column.shape[-1]
    place = torch.arange(length, device=q.device)
    codes = torch.cat(
        [
            place.div(across, rounding_mode="floor")[:, None]
            == torch.arange(height, device=q.device),
            (place % across)[:, None] == torch.arange(across, device=q.device),
        ],
        dim=-1,
    )
    spare = -(width + height + across) % WIDTH
    query = F.pad(torch.cat([q * width**-0.5, by_row, by_column], dim=-1), (0, spare))
    key = F.pad(torch.cat([k, codes.to(k.dtype).expand(batch, -1, -1)], dim=-1), (0, spare))
    return F.scaled_dot_product_attention(query[None], key[None], v[None], scale=1.0)[0]


def _biases(
    q: Tensor, rows: Tensor, columns: Tensor, grid: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """What each query adds for the keys of each row, (batch, N, rows), and of each column."""
    height, across = grid
    placed = q.unflatten(1, grid)
    by_row = torch.einsum("bhwd,hkd->bhwk", placed, _distances(rows, height))
    by_column = torch.einsum("bhwd,wkd->bhwk", placed, _distances(columns, across))
    return by_row.flatten(1, 2), by_column.flatten(1, 2)


def _distances(table: Tensor, size: int) -> Tensor:
    """(2 * size - 1, d) -> (size, size, d): the entry for query i and key j is of i - j."""
    place = torch.arange(size, device=table.device)
    return table[place[:, None] - place + size - 1]


class _InParts(torch.autograd.Function):
    """(batch, N, d) attention, a few heads and queries at a time; nothing of N x N is kept."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, by_row: Tensor, by_column: Tensor
    ) -> Tensor:
        out = torch.empty_like(q)
        room = q.new_empty(0)
        for at, part in _parts(q):
            bias = _table(by_row[at, part], by_column[at, part], room)
            out[at, part] = F.scaled_dot_product_attention(
                q[None, at, part], k[None, at], v[None, at], attn_mask=bias[None]
            )[0]
        ctx.save_for_backward(q, k, v, by_row, by_column, out)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        q, k, v, by_row, by_column, out = ctx.saved_tensors
        (gradient,) = gradients
        scale = q.shape[-1] ** -0.5
        wide = torch.promote_types(q.dtype, torch.float32)
        dq, drow, dcolumn = (torch.empty_like(t) for t in (q, by_row, by_column))
        dk, dv = torch.zeros_like(k), torch.zeros_like(v)
        room = q.new_empty(0)
        for at, part in _parts(q):
            g, key, value = gradient[at, part], k[at], v[at]
            scores = torch.baddbmm(
                _table(by_row[at, part], by_column[at, part], room),
                q[at, part],
                key.transpose(1, 2),
                alpha=scale,
            )
            share = scores.softmax(-1, dtype=wide).to(q.dtype)
            dv[at].baddbmm_(share.transpose(1, 2), g)
            mean = (g * out[at, part]).sum(-1, keepdim=True)
            ds = torch.bmm(g, value.transpose(1, 2)).sub_(mean).mul_(share)
            dq[at, part] = ds @ key
            dk[at].baddbmm_(ds.transpose(1, 2), q[at, part])
            placed = ds.unflatten(-1, (by_row.shape[-1], by_column.shape[-1]))
            drow[at, part] = placed.sum(-1)
            dcolumn[at, part] = placed.sum(-2)
        return dq.mul_(scale), dk.mul_(scale), dv, drow, dcolumn


def _table(by_row: Tensor, by_column: Tensor, room: Tensor) -> Tensor:
    """(batch, n, rows), (batch, n, columns) -> (batch, n, rows * columns), in `room`, resized.

    The same memory for every part: fresh pages would cost more than the sums.
    """
    shape = (*by_row.shape, by_column.shape[-1])
    room.resize_(shape)
    return torch.add(by_row[..., None], by_column[..., None, :], out=room).flatten(2)


def _parts(q: Tensor) -> list[tuple[slice, slice]]:
    """Slices of batch and queries whose scores are about `SCORES` numbers."""
    batch, length, _ = q.shape
    queries = min(length, QUERIES)
    heads = max(1, SCORES // (queries * length))
    return [
        (slice(start, start + heads), slice(first, first + queries))
        for start in range(0, batch, heads)
        for first in range(0, length, queries)
    ]
