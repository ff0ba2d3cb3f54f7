"""Keys and values of the positions a sequence has already passed."""

from __future__ import annotations

import torch
from torch import Tensor

from proofmill.exact.errors import InvalidSequence
from proofmill.exact.kernels.interface import AttentionShape, LayerCache, Operand


class KeyValueCache:
    """One sequence's quantised keys and values at every attention operator of a program.

    They are the operand's own integers, so reading them back is the same as never having left them: decoding gives the
    bits of prefill. Grows by doubling up to ``limit`` positions; not to be shared between threads.
    """

    def __init__(
        self, shapes: list[AttentionShape], device: torch.device, *, limit: int, capacity: int = 64
    ) -> None:
        self._shapes = shapes
        self._device = device
        self._limit = limit
        self._length = 0
        self._layers = [self._allocate(shape, min(capacity, limit)) for shape in shapes]

    @property
    def length(self) -> int:
        """Positions held."""
        return self._length

    @property
    def limit(self) -> int:
        """Positions the model can hold."""
        return self._limit

    @property
    def nbytes(self) -> int:
        """Memory taken."""
        return sum(layer.values.nbytes + layer.exponents.nbytes for layer in self._layers)

    def reserve(self, rows: int) -> None:
        """Make room for ``rows`` more positions; InvalidSequence if the model has no more."""
        needed = self._length + rows
        if needed > self._limit:
            raise InvalidSequence(
                f"a sequence of {needed} tokens, at most {self._limit}",
                remedy="Use a shorter prompt or ask for fewer tokens.",
            )
        capacity = self._layers[0].values.shape[0]
        if needed > capacity:
            larger = min(max(needed, 2 * capacity), self._limit)
            self._layers = [
                self._grown(shape, layer, larger)
                for shape, layer in zip(self._shapes, self._layers, strict=True)
            ]

    def write(self, layer: int, rows: Operand) -> LayerCache:
        """Put the keys and values of new rows, the columns after the queries, behind those held; ``reserve`` came first."""
        shape, cache = self._shapes[layer], self._layers[layer]
        stop = self._length + rows.values.shape[0]
        cache.values[self._length : stop] = rows.values[:, shape.heads * shape.head_size :]
        cache.exponents[self._length : stop] = rows.exponents[:, shape.heads :]
        return cache

    def advance(self, rows: int) -> None:
        """The rows written at every layer are now held."""
        self._length += rows

    def truncate(self, length: int) -> None:
        """Forget the positions from ``length`` on."""
        if not 0 <= length <= self._length:
            raise InvalidSequence(
                f"cannot cut a cache of {self._length} positions to {length}",
                remedy="Cut to a length it has had.",
            )
        self._length = length

    def copy(self) -> KeyValueCache:
        """An independent cache with the same content, for continuing one prompt in several ways."""
        twin = KeyValueCache(self._shapes, self._device, limit=self._limit, capacity=1)
        twin._layers = [LayerCache(layer.values.clone(), layer.exponents.clone()) for layer in self._layers]
        twin._length = self._length
        return twin

    def _allocate(self, shape: AttentionShape, capacity: int) -> LayerCache:
        values = torch.zeros(
            (capacity, 2 * shape.key_heads * shape.head_size), dtype=torch.int16, device=self._device
        )
        exponents = torch.zeros((capacity, 2 * shape.key_heads), dtype=torch.uint8, device=self._device)
        return LayerCache(values, exponents)

    def _grown(self, shape: AttentionShape, layer: LayerCache, capacity: int) -> LayerCache:
        larger = self._allocate(shape, capacity)
        _copy_rows(layer.values, larger.values, self._length)
        _copy_rows(layer.exponents, larger.exponents, self._length)
        return larger


def _copy_rows(source: Tensor, target: Tensor, rows: int) -> None:
    target[:rows] = source[:rows]
