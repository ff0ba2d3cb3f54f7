"""The typed clients and structs cover the compiled ABIs, no more and no less."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from dataclasses import fields
from typing import Any

import pytest
from web3 import Web3

from proofmill.chain.contracts import (
    CapabilityRegistry,
    ContractClient,
    DisputeGame,
    JobEscrow,
    MillToken,
    ModelRegistry,
    OracleCommittee,
    Staking,
    load_abi,
)
from proofmill.chain.events import EventDecoder
from proofmill.chain.records import Answer, Claim
from proofmill.chain.reports import (
    MAXIMUM_FEW_VERDICTS,
    MAXIMUM_MEASUREMENTS,
    MAXIMUM_VERDICTS,
    Equivocation,
    Measurement,
    Misjudgement,
    OpenedVerdict,
    ReportHead,
)
from proofmill.chain.staking import Penalty
from proofmill.chain.terms import JobOffer, JobTerms
from proofmill.chain.types import ContractCall
from proofmill.devnet.anvil import REPOSITORY

CLIENTS = [
    MillToken,
    Staking,
    JobEscrow,
    OracleCommittee,
    CapabilityRegistry,
    ModelRegistry,
    DisputeGame,
]
RENAMED = {"name": "token_name"}  # `name` is the contract's own name on every client
STRUCTS = {
    "JobOffer": JobOffer,
    "JobTerms": JobTerms,
    "Claim": Claim,
    "Answer": Answer,
    "Verdict": OpenedVerdict,
    "Report": ReportHead,
    "Equivocation": Equivocation,
    "Measurement": Measurement,
    "Misjudgement": Misjudgement,
    "Penalty": Penalty,
}
ADDRESS = "0x" + "11" * 20


def method_name(abi_name: str) -> str:
    if abi_name in RENAMED:
        return RENAMED[abi_name]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", abi_name).lower()


def functions(client: type[ContractClient]) -> list[Any]:
    return [element for element in load_abi(client.name) if element["type"] == "function"]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_client__every_abi_function__has_a_method_of_the_same_arity(client: type[ContractClient]) -> None:
    names = Counter(function["name"] for function in functions(client))
    assert max(names.values()) == 1, "overloads would need a method each"
    for function in functions(client):
        method = getattr(client, method_name(function["name"]), None)
        assert method is not None, f"{client.name} lacks {function['name']}"
        parameters = list(inspect.signature(method).parameters.values())[1:]
        positional = [p for p in parameters if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
        assert len(positional) == len(function["inputs"]), function["name"]
        is_view = function["stateMutability"] in ("view", "pure")
        assert ("block" in inspect.signature(method).parameters) == is_view, function["name"]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_client__every_read_and_build__names_an_abi_function(client: type[ContractClient]) -> None:
    source = inspect.getsource(inspect.getmodule(client))  # type: ignore[arg-type]
    used = set(re.findall(r'self\._(?:read|build|job_call|settlement|transmission)\(\s*"(\w+)"', source))
    assert used <= {function["name"] for function in functions(client)}


def structs_of(elements: Any) -> dict[str, list[str]]:
    """The structs among ABI parameters, by their name in the sources."""
    found: dict[str, list[str]] = {}
    for element in elements:
        components = element.get("components")
        if components:
            names = [component["name"] for component in components]
            for name, known in STRUCTS.items():
                if names == [field.name for field in fields(known)]:
                    found[name] = names
            found |= structs_of(components)
    return found


def test_structs__of_the_abis__have_the_fields_of_ours_in_order() -> None:
    found: dict[str, list[str]] = {}
    for client in CLIENTS:
        for element in load_abi(client.name):
            found |= structs_of(element.get("inputs", []))
    assert set(found) == set(STRUCTS)


def test_maxima__of_a_report__are_the_bounds_of_the_interface() -> None:
    interface = REPOSITORY / "contracts" / "interfaces" / "IOracleCommittee.vyi"
    text = interface.read_text("utf-8")
    verdicts = {int(bound) for bound in re.findall(r"DynArray\[Verdict, (\d+)\]", text)}
    assert verdicts == {MAXIMUM_FEW_VERDICTS, MAXIMUM_VERDICTS}
    measurements = re.findall(r"DynArray\[ICapabilityRegistry.Measurement, (\d+)\]", text)
    assert {int(bound) for bound in measurements} == {MAXIMUM_MEASUREMENTS}


def test_build__any_write__carries_selector_and_address() -> None:
    call = MillToken(Web3(), ADDRESS).transfer(ADDRESS, 7)
    expected = "a9059cbb" + "11" * 20 + f"{7:064x}"
    assert call == ContractCall(
        Web3.to_checksum_address(ADDRESS),
        bytes.fromhex(expected[:8] + "00" * 12 + expected[8:]),
        "MillToken.transfer",
    )


def test_decoder__log_of_a_stranger__is_nobodys() -> None:
    token = MillToken(Web3(), ADDRESS)
    decoder = EventDecoder([(token.name, token.contract)])
    log: Any = {"address": "0x" + "22" * 20, "topics": [b"\x01" * 32]}
    assert decoder.decode(log) is None
    assert decoder.decode(log | {"topics": []}) is None
    with pytest.raises(ValueError, match="no such events"):
        decoder.topics(["Nonsense"])
