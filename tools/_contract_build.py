"""Compile the deployable contracts with the installed Vyper, for the EVM version that ``ape-config.yaml`` states.

Uses no network and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from vyper.cli.vyper_compile import compile_files
from vyper.compiler.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
DEPLOYABLES = (
    "MillToken",
    "Staking",
    "JobEscrow",
    "OracleCommittee",
    "CapabilityRegistry",
    "ModelRegistry",
    "LinearVerifier",
    "ElementVerifier",
    "ActivationVerifier",
    "RowVerifier",
    "AttentionVerifier",
    "SelectionVerifier",
    "OpVerifier",
    "TraceReader",
    "DisputeGame",
)


def compile_deployables(output_formats: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the requested compiler outputs of each deployable by its name."""
    configuration = yaml.safe_load((ROOT / "ape-config.yaml").read_text())
    settings = Settings(evm_version=configuration["vyper"]["evm_version"])
    paths = {name: Path("contracts") / f"{name}.vy" for name in DEPLOYABLES}
    outputs = compile_files(list(paths.values()), list(output_formats), paths=[str(ROOT)], settings=settings)
    return {name: outputs[path] for name, path in paths.items()}
