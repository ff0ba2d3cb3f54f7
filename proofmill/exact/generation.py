"""What is asked of a generator and what it answers, which is a function of the request alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from proofmill.exact.errors import InvalidSequence
from proofmill.exact.program.model import Description
from proofmill.exact.program.sampling import Sampling


@dataclass(frozen=True)
class GenerationRequest:
    """A prompt and how to continue it. ``sampling`` None takes the greatest logit each time, the lowest index on ties.

    Generation ends after ``maximum_new_tokens`` tokens or with the first of ``stop_tokens``, which is part of the answer.
    """

    prompt: tuple[int, ...]
    maximum_new_tokens: int
    sampling: Sampling | None = None
    stop_tokens: frozenset[int] = frozenset()

    def check(self, description: Description) -> None:
        """InvalidSequence, naming the place, unless the model can answer this request."""
        check_tokens("the prompt", self.prompt, description)
        if type(self.maximum_new_tokens) is not int or self.maximum_new_tokens < 1:
            raise InvalidSequence(
                f"{self.maximum_new_tokens!r} new tokens asked for", remedy="Ask for at least one."
            )
        # The last new token is never fed back, so it needs no position.
        needed = len(self.prompt) + self.maximum_new_tokens - 1
        if needed > description.maximum_tokens:
            raise InvalidSequence(
                f"a prompt of {len(self.prompt)} tokens and {self.maximum_new_tokens} new ones need {needed} positions,"
                f" the model has {description.maximum_tokens}",
                remedy="Use a shorter prompt or ask for fewer tokens.",
            )


@dataclass(frozen=True)
class GeneratedToken:
    """One token as it appears: of which request, its place among the new tokens, and whether it is the last."""

    request: int
    place: int
    token: int
    last: bool


@dataclass(frozen=True)
class Completion:
    """All new tokens of a request and why they ended."""

    tokens: tuple[int, ...]
    reason: Literal["length", "stop"]


def check_tokens(place: str, tokens: Sequence[int], description: Description) -> None:
    """InvalidSequence unless every token is an id of the vocabulary and there are between 1 and the model's most of them."""
    if not 1 <= len(tokens) <= description.maximum_tokens:
        raise InvalidSequence(
            f"{place} has {len(tokens)} tokens, the model takes 1 to {description.maximum_tokens}",
            remedy="Split it or leave some of it out.",
        )
    for index, token in enumerate(tokens):
        if (
            not isinstance(token, int)
            or isinstance(token, bool)
            or not 0 <= token < description.vocabulary_size
        ):
            raise InvalidSequence(
                f"{place}, token {index}: {token!r} is not an id of the vocabulary,"
                f" 0 to {description.vocabulary_size - 1}",
                remedy="Use token ids of this model's tokenizer.",
            )
