"""Generator: what the rest of Proofmill sees of a model that continues text."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from tokenizers import Tokenizer
from torch import Tensor

from proofmill.exact.errors import InvalidOperand, InvalidSequence, ModelUnavailable
from proofmill.exact.execution.cache import KeyValueCache
from proofmill.exact.execution.executor import Executor
from proofmill.exact.generation import Completion, GeneratedToken, GenerationRequest, check_tokens
from proofmill.exact.kernels import choice
from proofmill.exact.loaded import LoadedModel
from proofmill.exact.program.model import Description
from proofmill.exact.program.sampling import Sampling

#: Rows of logits computed at once when a whole answer is checked: what bounds the memory of a wide vocabulary.
_LOGIT_ROWS = 256


@dataclass
class _Running:
    """A request being answered. ``pending`` are tokens the model has not seen yet: the rest of the prompt, then one token."""

    index: int
    request: GenerationRequest
    cache: KeyValueCache
    pending: list[int]
    tokens: list[int] = field(default_factory=list)


class Generator(LoadedModel):
    """An exact causal language model. Immutable; its methods may be called from several threads at once."""

    def __init__(
        self, model_id: bytes, description: Description, executor: Executor, tokenizer: Tokenizer | None
    ) -> None:
        super().__init__(model_id, description, executor)
        self._tokenizer = tokenizer
        self._fraction_bits = description.output_fraction_bits

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer; ModelUnavailable if it came without one."""
        if self._tokenizer is None:
            raise ModelUnavailable(
                f"no tokenizer is known for model {self._description.name}",
                remedy="Pass token ids, made with the tokenizer of the model.",
            )
        return self._tokenizer

    def logits(self, tokens: Sequence[int], *, first: int = 0) -> Tensor:
        """Logits int32 [len(tokens) - first, vocabulary] after each token from place ``first`` on, in one pass."""
        check_tokens("the sequence", tokens, self._description)
        if not 0 <= first < len(tokens):
            raise InvalidOperand(
                f"first place {first} of {len(tokens)}", remedy="Name a place of the sequence."
            )
        with torch.inference_mode():
            return self._executor.run_tokens([list(tokens)], tails=[len(tokens) - first])

    def generate(
        self, requests: Sequence[GenerationRequest], *, batch_size: int = 32, prefill_chunk: int = 512
    ) -> list[Completion]:
        """Answer every request. Neither its company nor batch size nor chunk changes a token of an answer."""
        tokens: list[list[int]] = [[] for _ in requests]
        for event in self.stream(requests, batch_size=batch_size, prefill_chunk=prefill_chunk):
            tokens[event.request].append(event.token)
        return [
            Completion(tuple(found), "stop" if found[-1] in request.stop_tokens else "length")
            for request, found in zip(requests, tokens, strict=True)
        ]

    def stream(
        self, requests: Sequence[GenerationRequest], *, batch_size: int = 32, prefill_chunk: int = 512
    ) -> Iterator[GeneratedToken]:
        """Tokens as they appear, of up to ``batch_size`` requests at once.

        Continuous batching (Yu et al., Orca, 2022, section 3): every pass carries one new token of each running answer and up
        to ``prefill_chunk`` tokens of prompts, and a finished request makes room for the next at once. All requests are
        checked before any runs.
        """
        if batch_size < 1 or prefill_chunk < 1:
            raise InvalidOperand(
                f"batch size {batch_size}, prefill chunk {prefill_chunk}", remedy="Both must be at least 1."
            )
        for request in requests:
            request.check(self._description)
        return self._stream(deque(enumerate(requests)), batch_size, prefill_chunk)

    def _stream(
        self, waiting: deque[tuple[int, GenerationRequest]], batch_size: int, prefill_chunk: int
    ) -> Iterator[GeneratedToken]:
        running: list[_Running] = []
        while waiting or running:
            while waiting and len(running) < batch_size:
                index, request = waiting.popleft()
                cache = self._executor.new_cache(len(request.prompt))
                running.append(_Running(index, request, cache, list(request.prompt)))
            yield from self._advance(running, prefill_chunk)
            running = [one for one in running if one.pending]

    def _advance(self, running: Sequence[_Running], prefill_chunk: int) -> list[GeneratedToken]:
        """One pass of the model over the next tokens of each request; a request without pending tokens is finished."""
        budget = prefill_chunk
        batch: list[_Running] = []
        fed: list[list[int]] = []
        for one in running:
            # A single token always fits: answers under way are never held up by prompts.
            count = 1 if len(one.pending) == 1 else min(len(one.pending), budget)
            if count == 0:
                continue
            if len(one.pending) > 1:
                budget -= count
            batch.append(one)
            fed.append(one.pending[:count])
            one.pending = one.pending[count:]
        caches = [one.cache for one in batch]
        with torch.inference_mode():
            tails = [0 if one.pending else 1 for one in batch]
            logits = self._executor.run_tokens(fed, caches=caches, tails=tails)
            done = [one for one in batch if not one.pending]
            places = [one.cache.length - 1 for one in done]
            tokens = choose(logits, places, [one.request.sampling for one in done], self._fraction_bits)
        events = []
        for one, token in zip(done, tokens, strict=True):
            one.tokens.append(token)
            last = token in one.request.stop_tokens or len(one.tokens) == one.request.maximum_new_tokens
            one.pending = [] if last else [token]
            events.append(GeneratedToken(one.index, len(one.tokens) - 1, token, last))
        return events

    def check(self, request: GenerationRequest, completion: Completion) -> int | None:
        """The place of the first token that is not the one this request gives, or None: one prefill pass for the whole answer.

        The answer's own tokens are fed to the model, so a wrong token is found where it stands; an answer that ends too early
        or goes on too long is wrong at its end.
        """
        request.check(self._description)
        answer = list(completion.tokens)
        if not answer:
            return 0
        # Whoever checks a hostile answer needs a place, not an error; what stands behind the first impossible token is not read.
        wanted = (place for place, token in enumerate(answer) if not self._is_token(token))
        impossible = min(next(wanted, len(answer)), request.maximum_new_tokens)
        if impossible < len(answer):
            answer = answer[: impossible + 1]
            found = self._first_wrong(request, answer[:impossible]) if impossible else None
            return impossible if found is None else found
        found = self._first_wrong(request, answer)
        if found is not None:
            return found
        ended = answer[-1] in request.stop_tokens or len(answer) == request.maximum_new_tokens
        reason = "stop" if answer[-1] in request.stop_tokens else "length"
        return None if ended and completion.reason == reason else len(answer)

    def _is_token(self, token: object) -> bool:
        return type(token) is int and 0 <= token < self._description.vocabulary_size

    def _first_wrong(self, request: GenerationRequest, answer: list[int]) -> int | None:
        """The place of the first token that differs or stands behind a stop token; the answer may end early."""
        sequence = [*request.prompt, *answer[:-1]]
        first = len(request.prompt) - 1
        cache = self._executor.new_cache(len(sequence))
        with torch.inference_mode():
            if first:
                self._executor.run_tokens([sequence[:first]], caches=[cache], tails=[0])
            for start in range(0, len(answer), _LOGIT_ROWS):
                stop = min(start + _LOGIT_ROWS, len(answer))
                part = sequence[first + start : first + stop]
                logits = self._executor.run_tokens([part], caches=[cache], tails=[len(part)])
                places = range(first + start, first + stop)
                found = choose(logits, list(places), [request.sampling] * len(part), self._fraction_bits)
                for offset, token in enumerate(found):
                    place = start + offset
                    if token != answer[place]:
                        return place
                    if token in request.stop_tokens and place + 1 < len(answer):
                        return place + 1
        return None


def choose(
    logits: Tensor, positions: Sequence[int], samplings: Sequence[Sampling | None], fraction_bits: int
) -> list[int]:
    """The token each row of logits, in Q.fraction_bits, gives at its position: the operator ``choose``."""
    if len(logits) != len(positions) or len(positions) != len(samplings):
        raise InvalidSequence(
            f"{len(logits)} rows of logits for {len(positions)} positions",
            remedy="Pass one position and one way of sampling per row.",
        )
    return [
        choice.choose_greedy(row)
        if sampling is None
        else choice.choose(row, position, sampling.inverse_temperature, sampling.seed, fraction_bits)
        for row, position, sampling in zip(logits.cpu().numpy(), positions, samplings, strict=True)
    ]
