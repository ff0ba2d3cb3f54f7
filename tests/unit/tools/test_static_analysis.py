"""Slither finds faults in Vyper 0.4 contracts that are made of modules, at their place; explanations answer them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.slither_check import find
from tools.static_analysis.findings import Finding, answer, explanations_in, merge

VAULT = """# pragma version 0.4.3
# pragma nonreentrancy on
from contracts.interfaces import IThing
from contracts.interfaces import IUnused

balances: public(HashMap[address, uint256])
forgotten: uint256
owner: address
SIZE: constant(uint256) = 4
payees: DynArray[address, SIZE]


struct Pair:
    first: uint256
    second: uint256


@internal
def _dead(_x: uint256) -> uint256:
    return _x


@internal
def _pay(_token: address, _to: address):
    amount: uint256 = self.balances[_to]
    extcall IThing(_token).transfer(_to, amount)  # pay
    self.balances[_to] = 0


@external
def pay_many(_token: address):
    for payee: address in self.payees:
        self._pay(_token, payee)


@external
def set_owner(_owner: address):
    assert tx.origin == self.owner, "vault: no"
    self.owner = _owner  # set


@external
def add_payee(_payee: address):
    self.payees.append(_payee)
"""
BAD = """# pragma version 0.4.3
# pragma nonreentrancy on
from contracts.interfaces import IThing
from contracts.modules import vault

initializes: vault
exports: (vault.pay_many, vault.set_owner, vault.add_payee, vault.balances)

rate: uint256


@external
def share(_a: uint256, _b: uint256) -> uint256:
    assert _b in [_a, 5], "bad: neither"
    pair: vault.Pair = vault.Pair(first=_a, second=_b)
    chosen: uint256 = _a if _b > 3 else pair.first
    chosen ^= ~_b
    return chosen // 3 * _b  # share


@external
def act(_a: address, _data: Bytes[100]):
    success: bool = raw_call(_a, _data, revert_on_failure=False)
    raw_call(_a, _data, is_delegate_call=True)  # act
    if block.timestamp == 5:  # now
        self.rate = 1


@external
def late(_a: address) -> uint256:
    level: uint256 = self.rate
    if level > 3:
        extcall IThing(_a).ping()
        return 1
    self.rate = level + 1
    return staticcall IThing(_a).worth()
"""
THING = """@external
def transfer(_to: address, _amount: uint256) -> bool: ...


@external
def ping(): ...


@view
@external
def worth() -> uint256: ...
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    for path, text in {
        "contracts/Bad.vy": BAD,
        "contracts/modules/vault.vy": VAULT,
        "contracts/interfaces/IThing.vyi": THING,
        "contracts/interfaces/IUnused.vyi": THING,
        "ape-config.yaml": "vyper:\n  evm_version: prague\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.fixture(scope="module")
def findings(project: Path) -> list[Finding]:
    return find([project / "contracts/Bad.vy"], project)[0]


@pytest.mark.parametrize(
    ("file", "text", "rule"),
    [
        ("modules/vault.vy", "# pay", "unchecked-transfer"),
        ("modules/vault.vy", "# pay", "calls-loop"),
        ("modules/vault.vy", "# pay", "reentrancy-no-eth"),
        ("modules/vault.vy", 'tx.origin == self.owner, "vault', "tx-origin"),
        ("modules/vault.vy", "# set", "missing-zero-check"),
        ("modules/vault.vy", "def set_owner", "silent-write"),
        ("modules/vault.vy", "def _dead", "dead-code"),
        ("modules/vault.vy", "import IUnused", "unused-import"),
        ("modules/vault.vy", "forgotten", "unused-state"),
        ("Bad.vy", "# share", "divide-before-multiply"),
        ("Bad.vy", "# act", "delegate-call"),
        ("Bad.vy", "# act", "unchecked-lowlevel"),
        ("Bad.vy", "# now", "strict-equality"),
    ],
)
def test_slither__finds_the_fault_where_it_is(
    project: Path, findings: list[Finding], file: str, text: str, rule: str
) -> None:
    path = project / "contracts" / file
    [line] = [n for n, source in enumerate(path.read_text().splitlines(), 1) if text in source]
    assert (str(path), line, rule) in {finding.key for finding in findings}


def test_slither__does_not_find_what_is_not_there(project: Path, findings: list[Finding]) -> None:
    """A size of a type is a use; what follows a branch that returned is not written after its call."""
    said = {(Path(f.path).name, f.rule, f.line) for f in findings}
    source = BAD.splitlines()
    write = source.index("    self.rate = level + 1") + 1
    assert not {
        line for name, rule, line in said if name == "Bad.vy" and "reentrancy" in rule and line >= write - 5
    }
    size = VAULT.splitlines().index("SIZE: constant(uint256) = 4") + 1
    assert ("vault.vy", "unused-state", size) not in said


def finding(rule: str, path: Path, line: int) -> Finding:
    return Finding(str(path), line, rule, "text", "Low")


def test_answer__takes_an_explanation_on_the_line_or_right_above(tmp_path: Path) -> None:
    path = tmp_path / "a.vy"
    path.write_text(
        "# slither one-rule: because of this\n# and that\n@external\ndef act():\n"
        "    x = 1  # slither other-rule: a reason\n    y = 2\n# slither stale: nothing is here\n"
    )
    found = [finding("one-rule", path, 4), finding("other-rule", path, 5), finding("other-rule", path, 6)]
    explained, still_open, stale = answer(found, explanations_in(path))
    assert [(f.line, e.reason) for f, e in explained] == [(4, "because of this"), (5, "a reason")]
    assert [f.line for f in still_open] == [6]
    assert [(e.line, e.rule) for e in stale] == [(7, "stale")]


def test_explanations__need_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.vy"
    path.write_text("# slither one-rule:\n# slither one-rule: \n")
    assert explanations_in(path) == []


def test_merge__a_variable_is_idle_only_if_every_contract_with_it_says_so(tmp_path: Path) -> None:
    path = tmp_path / "shared.vy"
    idle, other = finding("constable-states", path, 3), finding("tx-origin", path, 9)
    files = {str(path)}
    assert merge([(files, [idle, other]), (files, [other])]) == [other]
    assert merge([(files, [idle]), (files, [idle]), (set(), [])]) == [idle]
