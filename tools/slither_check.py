"""Runs Slither, and rules of our own, over every contract; fails on a finding that is neither fixed nor explained in place.

python -m tools.slither_check [contract …]

An explanation is a comment on the finding's line or right above it, that names the rule: `# slither <rule>: <reason>`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

import vyper
import yaml
from vyper import ast as vy_ast

from tools.static_analysis.analysis import analyse
from tools.static_analysis.findings import Finding, answer, explanations_in, merge
from tools.static_analysis.flattening import flatten, load
from tools.static_analysis.own_rules import DEAD_CODE, findings_of

ROOT: Final = Path(__file__).resolve().parent.parent
# Rules that can say nothing true about Vyper, or that a rule of our own replaces.
EXCLUDED: Final = {
    "constable-states": "answers differently on the same sources: it does not always see writes of a module",
    "incorrect-equality": "follows time and balances into every packed word; our strict-equality asks directly",
    "missing-inheritance": "Vyper has no inheritance; the compiler checks `implements:`",
    "naming-convention": "Solidity's style",
    "pragma": "one compiler version, pinned",
    "return-bomb": "what comes back is copied up to `max_outsize` only, which is nothing unless it is stated",
    "shadowing-builtin": "Solidity's words; Vyper's compiler refuses its own",
    "shadowing-local": "state is always written `self.x` or `module.x`, so a local can hide nothing",
    "solc-version": "Solidity's compiler",
    "timestamp": "every deadline compares times of at least minutes; our strict-equality asks for exact ones",
    "too-many-digits": "reads literals without their underscores",
    "unused-state": "does not look into sizes of types and bounds of loops; our own rule does",
    "unimplemented-functions": "a constructor whose body is `pass`",
}


def _modules(main: vy_ast.Module, found: dict[str, vy_ast.Module]) -> None:
    """Every file that a contract is made of."""
    if str(main.resolved_path) in found:
        return
    found[str(main.resolved_path)] = main
    for node in main.body:
        if isinstance(node, vy_ast.Import | vy_ast.ImportFrom):
            parsed = node._metadata["import_info"].parsed
            if isinstance(parsed, vy_ast.Module) and parsed.source_id >= 0:
                _modules(parsed, found)


def find(contracts: list[Path], root: Path) -> tuple[list[Finding], set[Path]]:
    """All findings in contracts and their modules, and the files that were read."""
    evm_version = yaml.safe_load((root / "ape-config.yaml").read_text("utf-8"))["vyper"]["evm_version"]
    per_contract = []
    everything: dict[
        str, vy_ast.Module
    ] = {}  # each contract reads its modules anew: any of the trees will do
    reachable: set[tuple[str, int]] = set()
    internal: dict[tuple[str, int], str] = {}
    for contract in contracts:
        tree = load(contract.relative_to(root), root, [], evm_version)
        flat = flatten(tree)
        files: dict[str, vy_ast.Module] = {}
        _modules(tree, files)
        found = analyse(contract, flat, EXCLUDED, vyper.__version__.split("+")[0])
        per_contract.append((set(files), found))
        everything |= files
        reachable |= flat.reachable
        internal |= flat.internal
    findings = [*merge(per_contract), *findings_of(list(everything.values()))]
    for (path, line), name in internal.items():
        if (path, line) not in reachable:
            text = f"{name} is part of no contract"
            findings.append(Finding(path, line, DEAD_CODE, text, "Own rule"))
    return sorted(findings), {Path(path) for path in everything}


def main() -> int:
    """Prints every finding; 1 if one has no answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contracts", nargs="*", type=Path, help="default: every contract in contracts/")
    arguments = parser.parse_args()
    contracts = [path.resolve() for path in arguments.contracts] or sorted((ROOT / "contracts").glob("*.vy"))
    findings, files = find(contracts, ROOT)
    explained, open_findings, stale = answer(findings, [e for path in files for e in explanations_in(path)])
    for finding, explanation in explained:
        place = f"{Path(finding.path).relative_to(ROOT)}:{finding.line}"
        print(f"{place}: {finding.rule}: explained: {explanation.reason}")
    for finding in open_findings:
        path = Path(finding.path)
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        text = finding.text.replace(f"{ROOT}/", "")
        print(f"{name}:{finding.line}: {finding.rule} ({finding.impact}): {text}", file=sys.stderr)
    for explanation in stale:
        place = f"{Path(explanation.path).relative_to(ROOT)}:{explanation.line}"
        print(f"{place}: explains {explanation.rule}, which nothing finds there", file=sys.stderr)
    print(
        f"slither: {len(explained)} explained, {len(open_findings)} open, {len(stale)} explanations of nothing"
    )
    return 1 if open_findings or stale else 0


if __name__ == "__main__":
    sys.exit(main())
