"""A model in the form that the big-integer interpreter of ``tests.reference`` reads."""

from __future__ import annotations

import json
from typing import Any

from proofmill.exact.manifest.document import describe
from proofmill.exact.program.model import Model


def reference_document(model: Model) -> dict[str, Any]:
    """The manifest as any reader sees it: parsed from its bytes."""
    document: dict[str, Any] = json.loads(describe(model).to_bytes())
    return document


def reference_tensors(model: Model) -> dict[str, Any]:
    """Every tensor as nested lists."""
    return {name: tensor.tolist() for name, tensor in model.tensors.items()}
