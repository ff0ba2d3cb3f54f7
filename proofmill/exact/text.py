"""From text to token ids, by the tokenizer that is part of a model."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer

from proofmill.exact.errors import InvalidText

_WORDS_SHOWN = 8


def tokenize(tokenizer: Tokenizer, texts: Sequence[str], maximum_tokens: int) -> list[list[int]]:
    """Token ids of each text, with the special tokens; nothing is cut.

    Raises:
        InvalidText: a text is no string, not valid Unicode, or longer than `maximum_tokens`; says which.
    """
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise InvalidText(f"text {index} is a {type(text).__name__}", remedy="Pass strings.")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InvalidText(
                f"text {index} is not valid Unicode: {error}", remedy="Remove lone surrogates."
            ) from error
    sequences = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    for index, sequence in enumerate(sequences):
        if len(sequence) > maximum_tokens:
            beginning = " ".join(texts[index].split()[:_WORDS_SHOWN])
            raise InvalidText(
                f'text {index} has {len(sequence)} tokens, at most {maximum_tokens}: "{beginning} …"',
                remedy="Split the text into shorter ones.",
            )
    return sequences
