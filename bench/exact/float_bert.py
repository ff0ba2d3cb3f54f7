"""The float model the exact one was converted from: a BERT sentence encoder in plain PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor
from torch.nn.functional import embedding, gelu, layer_norm, linear, normalize, scaled_dot_product_attention


class FloatBert:
    """Mean-pooled, normalised sentence embeddings in the floating-point type asked for, eager or through torch.compile."""

    def __init__(
        self,
        source: Mapping[str, Tensor],
        dtype: torch.dtype,
        *,
        heads: int = 12,
        epsilon: float = 1e-12,
        compiled: bool = False,
    ) -> None:
        self._heads, self._epsilon = heads, epsilon
        self._tensors = {name: t.to(dtype) for name, t in source.items() if t.is_floating_point()}
        self._dtype = dtype
        self._layers = 1 + max(
            int(name.split(".")[2]) for name in source if name.startswith("encoder.layer.")
        )

        self._forward: Callable[[Tensor, Tensor, Tensor | None], Tensor] = (
            torch.compile(self._encode, dynamic=True) if compiled else self._encode
        )

    def embed(self, sequences: Sequence[Sequence[int]], batch_size: int = 32, threads: int = 0) -> Tensor:
        """Embeddings [n, D] in the order given, computed in padded batches of similar length.

        With 0 threads PyTorch divides each operator among its own; otherwise that many threads take whole batches.
        """
        order = sorted(range(len(sequences)), key=lambda index: -len(sequences[index]))
        batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]

        def compute(batch: list[int]) -> Tensor:
            with torch.inference_mode():
                return self._run([sequences[index] for index in batch])

        if threads:
            before = torch.get_num_threads()
            with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                results = list(pool.map(compute, batches))
            torch.set_num_threads(before)
        else:
            results = [compute(batch) for batch in batches]
        place = torch.tensor(order).argsort()
        return torch.cat(results)[place]

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return linear(x, self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        parameters = self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"]
        return layer_norm(x, x.shape[-1:], *parameters, self._epsilon)

    def _run(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        longest = max(map(len, sequences))
        ids = torch.tensor([[*sequence, *[0] * (longest - len(sequence))] for sequence in sequences])
        present = torch.arange(longest) < torch.tensor([[len(sequence)] for sequence in sequences])
        # Without padding no mask is given, which lets attention take its faster path.
        mask = None if bool(present.all()) else present[:, None, None, :]
        return self._forward(ids, present, mask)

    def _encode(self, ids: Tensor, present: Tensor, mask: Tensor | None) -> Tensor:
        table = self._tensors
        x = embedding(ids, table["embeddings.word_embeddings.weight"])
        x = x + table["embeddings.token_type_embeddings.weight"][0]
        x = x + table["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = self._norm(x, "embeddings.LayerNorm")
        for index in range(self._layers):
            layer = f"encoder.layer.{index}"
            query, key, value = (
                self._linear(x, f"{layer}.attention.self.{part}")
                .view(*x.shape[:2], self._heads, -1)
                .transpose(1, 2)
                for part in ("query", "key", "value")
            )
            mixed = scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2).flatten(2)
            branch = self._linear(mixed, f"{layer}.attention.output.dense")
            x = self._norm(x + branch, f"{layer}.attention.output.LayerNorm")
            hidden = gelu(self._linear(x, f"{layer}.intermediate.dense"))
            x = self._norm(x + self._linear(hidden, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        weight = present.to(self._dtype)[..., None]
        return normalize((x * weight).sum(1) / weight.sum(1), dim=-1)
