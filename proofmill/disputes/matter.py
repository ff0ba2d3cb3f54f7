"""What a dispute about a job needs besides the chain: the request, the answers as they are known, and runs with a trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from proofmill.chain.records import Job
from proofmill.disputes.claim import GENERATION, DisputedClaim
from proofmill.disputes.claimed_answer import ClaimedToken, readable_tokens
from proofmill.disputes.rerun import CommittedModel, Rerun
from proofmill.errors import ProofmillError
from proofmill.exact.kernels.interface import Kernels
from proofmill.exact.trace.claims import AnswerCommitment, RequestCommitment
from proofmill.jobs import EmbeddingAnswer, EmbeddingRequest, InvalidAnswer


class NothingToDispute(ProofmillError):
    """The answer is right, or nobody can say what is wrong with it."""


@dataclass(frozen=True)
class Matter:
    """One job's question and answers.

    ``inputs`` are what the program reads for each item: ids [P] of a prompt or sequence, or bytes [rows, channels] of an
    image. ``own`` is the right answer, ``claimed`` the one submitted; None where nobody serves it. Of a generation,
    ``claimed_tokens`` are the submitted tokens of each item, whatever stands in their place.
    """

    job_id: int
    model_id: bytes
    request: RequestCommitment
    inputs: Sequence[Tensor]
    own: AnswerCommitment
    claimed: AnswerCommitment | None
    claimed_tokens: Sequence[tuple[ClaimedToken, ...]] = ()

    @property
    def served(self) -> AnswerCommitment | None:
        """The submitted answer if it can be opened item by item: somebody serves it, and it has an item for each sequence.

        The items of any other have to be asked for, and of one that has too many or too few nobody can reveal them.
        """
        if self.claimed is None or self.claimed.count != self.request.count:
            return None
        return self.claimed

    def first_wrong_item(self, revealed: Sequence[tuple[int, bytes]] | None = None) -> int:
        """Number of the first item that is answered wrongly, by the submitted answer or what is revealed of it.

        Raises NothingToDispute if every item is right.
        """
        pairs = list(zip(*self.own.rows_and_roots, strict=True))
        found = revealed
        if found is None:
            assert self.served is not None
            found = list(zip(*self.served.rows_and_roots, strict=True))
        for place, (mine, theirs) in enumerate(zip(pairs, found, strict=True)):
            if tuple(mine) != tuple(theirs):
                return place
        raise NothingToDispute(
            f"every item of the answer to job {self.job_id} is right", remedy="There is nothing to do."
        )

    def input_of(self, claim: DisputedClaim, vocabulary: int = 1 << 31) -> Tensor:
        """What a trace of the claim runs over: of a generation the prompt and the claimed tokens but the last.

        Where these hold what is no token of the vocabulary, a run ends before it, and so does the input.
        """
        given = self.inputs[claim.item]
        if claim.kind != GENERATION:
            return given
        tokens = readable_tokens(self.claimed_tokens[claim.item][:-1], vocabulary)
        return torch.cat([given, torch.tensor(tokens, dtype=given.dtype)])

    def tokens_of(self, claim: DisputedClaim) -> tuple[ClaimedToken, ...]:
        """The claimed tokens of a generation; none for a map."""
        return self.claimed_tokens[claim.item] if claim.kind == GENERATION else ()


#: Where a player gets the matter when it first needs it: to make it may take a run of the whole job.
MatterSource = Callable[[], Matter]


def embedding_matter(job: Job, request: bytes, own: bytes, claimed: bytes | None) -> Matter:
    """The matter of a job of embeddings, from the blobs of its request, of the right answer and of the submitted one.

    Raises JobError if a blob is none of its kind; a submitted answer that is none is one that nobody serves.
    """
    asked = EmbeddingRequest.from_bytes(request)
    submitted = None
    if claimed is not None:
        with suppress(InvalidAnswer):
            submitted = EmbeddingAnswer.from_bytes(claimed).commitment
    return Matter(
        job_id=job.id,
        model_id=job.model_id,
        request=asked.commitment,
        inputs=sequences_as_inputs(asked.sequences),
        own=EmbeddingAnswer.from_bytes(own).commitment,
        claimed=submitted,
    )


class ModelShelf(Protocol):
    """Where models come from."""

    def committed(self, model_id: bytes) -> CommittedModel:
        """The model with the tree over its program; ProofmillError if it is not known here."""
        ...


class KnownModels:
    """The models of the catalogue, each loaded and committed to when it is first asked for and then kept."""

    def __init__(self, cache_directory: Path | None = None) -> None:
        self._cache_directory = cache_directory
        self._kept: dict[bytes, CommittedModel] = {}

    def committed(self, model_id: bytes) -> CommittedModel:
        # Importing the catalogue imports the importers, which only those who dispute need.
        from proofmill.exact.models.catalogue import known_model, load_packed

        if model_id not in self._kept:
            _, model = load_packed(known_model(model_id.hex()), self._cache_directory)
            self._kept[model_id] = CommittedModel.of(model)
        return self._kept[model_id]


class Reruns:
    """Runs with a trace, by claim; the last few are kept."""

    def __init__(self, models: ModelShelf, kernels: Kernels | None = None, *, kept: int = 2) -> None:
        self._models, self._kernels, self._most = models, kernels, kept
        self._runs: dict[bytes, Rerun] = {}

    def of(self, claim_id: bytes, claim: DisputedClaim, matter: Matter) -> Rerun:
        """The trace of a claim, made now if it is not at hand."""
        if claim_id not in self._runs:
            if len(self._runs) >= self._most:
                self._runs.pop(next(iter(self._runs)))
            committed = self._models.committed(matter.model_id)
            read = matter.input_of(claim, committed.vocabulary)
            self._runs[claim_id] = Rerun.of(committed, read, claim.sampling, self._kernels)
        return self._runs[claim_id]


def sequences_as_inputs(sequences: Sequence[Sequence[int]]) -> list[Tensor]:
    """Token ids as a program reads them."""
    return [torch.from_numpy(np.array(ids, dtype=np.int64)) for ids in sequences]
