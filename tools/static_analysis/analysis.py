"""Runs Slither's detectors over flattened contracts."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crytic_compile import CryticCompile
from crytic_compile.compilation_unit import CompilationUnit
from crytic_compile.compiler.compiler import CompilerVersion
from crytic_compile.platform.abstract_platform import AbstractPlatform
from crytic_compile.platform.types import Type
from crytic_compile.utils.naming import convert_filename
from slither import Slither
from slither.core.declarations import Function, solidity_variables
from slither.detectors import all_detectors
from slither.detectors.abstract_detector import AbstractDetector
from slither.slithir.operations import HighLevelCall

from tools.static_analysis.findings import Finding
from tools.static_analysis.flattening import EXTRA_BUILTINS, FlatContract


class _Flattened(AbstractPlatform):
    """Hands Slither trees that were made already."""

    NAME = "vyper"
    PROJECT_URL = "https://github.com/vyperlang/vyper"
    TYPE = Type.VYPER

    def __init__(self, target: Path, flat: FlatContract, version: str) -> None:
        super().__init__(str(target))
        self._flat = flat
        self._version = version

    def compile(self, crytic_compile: CryticCompile, **_kwargs: str) -> None:
        unit = CompilationUnit(crytic_compile, self._target)
        unit.compiler_version = CompilerVersion(
            compiler="vyper", version=self._version, optimized=False, via_ir=False
        )
        for number, path in self._flat.sources.items():
            filename = convert_filename(str(path), lambda given: given, crytic_compile)
            source = unit.create_source_unit(filename)
            is_main = str(path) == self._target
            # An empty contract for each other file makes its number known to Slither.
            source.ast = {"ast": self._flat.tree if is_main else _empty(path, number)}

    def clean(self, **_kwargs: str) -> None:
        return

    @staticmethod
    def is_supported(target: str, **_kwargs: str) -> bool:
        return target.endswith(".vy")

    def is_dependency(self, path: str) -> bool:
        return False

    def _guessed_tests(self) -> list[str]:
        return []


def _is_static_call(call: HighLevelCall) -> bool:
    """Vyper calls every view and pure function by STATICCALL; Slither asks for a version of Solidity."""
    return isinstance(call.function, Function) and bool(call.function.view or call.function.pure)


def _empty(path: Path, number: int) -> dict[str, Any]:
    return {
        "ast_type": "Module",
        "name": str(path),
        "body": [],
        "doc_string": None,
        "src": f"0:0:{number}",
        "node_id": 1_000_000 + number,
    }


def detectors(excluded: Iterable[str]) -> list[type[AbstractDetector]]:
    """Every detector of this Slither but the excluded ones."""
    left_out = set(excluded)
    classes: list[type[AbstractDetector]] = [
        value
        for value in vars(all_detectors).values()
        if inspect.isclass(value) and issubclass(value, AbstractDetector)
    ]
    unknown = left_out - {detector.ARGUMENT for detector in classes}
    if unknown:
        raise ValueError(f"Slither has no detectors {sorted(unknown)}")
    return [detector for detector in classes if detector.ARGUMENT not in left_out]


def analyse(path: Path, flat: FlatContract, excluded: Iterable[str], version: str) -> list[Finding]:
    """What Slither finds in one contract, each result at its first place."""
    for name, returns in EXTRA_BUILTINS.items():
        solidity_variables.SOLIDITY_FUNCTIONS.setdefault(f"{name}()", returns)
    HighLevelCall.is_static_call = _is_static_call
    logging.getLogger("CryticCompile").setLevel(logging.ERROR)
    target = path.resolve()
    sources = sorted(flat.sources.items(), key=lambda item: item[1] == target)  # the contract last
    ordered = FlatContract(flat.tree, dict(sources), flat.reachable, flat.internal)
    slither = Slither(CryticCompile(_Flattened(target, ordered, version)))
    for detector in detectors(excluded):
        slither.register_detector(detector)
    findings = []
    for results in slither.run_detectors():
        findings += [_finding(result) for result in results]
    return findings


def _finding(result: dict[str, Any]) -> Finding:
    elements = result["elements"]
    nodes = [element for element in elements if element["type"] == "node"] or elements
    place = next((e for e in nodes if e["source_mapping"].get("lines")), None)
    mapping = {} if place is None else place["source_mapping"]
    lines = mapping.get("lines") or [0]
    return Finding(
        path=str(mapping.get("filename_absolute", "")),
        line=int(lines[0]),
        rule=str(result["check"]),
        text=" ".join(str(result["description"]).split()),
        impact=str(result["impact"]),
    )
