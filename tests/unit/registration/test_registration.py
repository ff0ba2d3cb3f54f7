"""A registration from a manifest, sent whole, in parts, twice, and beside others'."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proofmill.chain.errors import CallReverted
from proofmill.chain.model_registry import ModelRegistry, RegisteredModel
from proofmill.exact.commitment.merkle import verify_opening
from proofmill.exact.errors import ModelRefused
from proofmill.exact.manifest.document import Manifest, describe
from proofmill.exact.program.graph import Program, ProgramBuilder
from proofmill.exact.program.kinds import Shape, TableShape
from proofmill.exact.trace.limits import check_disputable
from proofmill.model_registration import Registration, UriTooLong, register
from tests.suite.deployment import NO_WORD, NOBODY, actor
from tests.unit.contracts.model_registry.programs import (
    TOKENS,
    averaging_program,
    chain_of_activations,
    program_tree,
    real_manifest,
)
from tests.unit.exact.small_models import small_bert, small_cnn, small_llama
from tests.unit.registration.conftest import LocalSender


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return describe(small_llama("E16"))


@pytest.fixture(scope="module")
def registration(manifest: Manifest) -> Registration:
    """Of three groups."""
    made = Registration.of(manifest)
    assert len(made.groups) == 3
    return made


# ------------------------------------------------------------------ what is registered
def test_registration__of_a_manifest__is_the_model(manifest: Manifest, registration: Registration) -> None:
    assert registration.model_id == manifest.model_id
    assert registration.operators == len(manifest.program.operators)
    assert verify_opening(registration.program_root, registration.operators.bit_length(), registration.head)
    leaves = [leaf for group in registration.groups for leaf in group.leaves]
    assert len(leaves) == registration.operators + 1
    assert leaves[0] == registration.head.data


def test_missing__by_the_bits_of_the_registry(registration: Registration) -> None:
    for checked, expected in ((0, [0, 1, 2]), (0b010, [0, 2]), (0b101, [1]), (0b111, []), (2**256 - 1, [])):
        assert [group.number for group in registration.missing(checked)] == expected


# ------------------------------------------------------------------ sending
def test_register__new_model__is_registered(
    registry: ModelRegistry, registrant: LocalSender, registration: Registration
) -> None:
    told: list[str] = []
    outcome = register(registration, registry, registrant, uri="https://models.example", report=told.append)
    assert (outcome.transactions, outcome.gas_used) == (4, 4000)
    assert registry.is_registered(registration.model_id)
    expected = RegisteredModel(registration.program_root, registration.operators, False, 1)
    assert registry.model(registration.model_id) == expected
    assert registry.checked_groups(registration.model_id) == 0b111
    assert told == [f"{registration.operators} operators announced", "3 of 3 groups checked"]


@pytest.mark.parametrize("family", [small_bert, small_cnn], ids=["bert", "cnn"])
@pytest.mark.parametrize("profile", ["E16", "E16x"])
def test_register__other_families__are_registered(
    registry: ModelRegistry, registrant: LocalSender, family: Any, profile: Any
) -> None:
    registration = Registration.of(describe(family(profile)))
    register(registration, registry, registrant)
    assert registry.is_registered(registration.model_id)


@pytest.mark.parametrize("sent", range(5))
def test_register__killed_anywhere__goes_on_where_it_was(
    registry: ModelRegistry, registration: Registration, sent: int
) -> None:
    first = LocalSender(actor("registrant"), budget=sent)
    if sent < 4:
        with pytest.raises(KeyboardInterrupt):
            register(registration, registry, first)
    else:
        register(registration, registry, first)
    second = LocalSender(actor("another"))
    told: list[str] = []
    outcome = register(registration, registry, second, report=told.append)
    assert outcome.transactions == len(second.sent) == 4 - sent
    assert registry.is_registered(registration.model_id)
    if sent > 1:
        assert told[0] == f"{sent - 1} of 3 groups are checked already"


def test_register__beside_another__both_end_well(
    registry: ModelRegistry, registrant: LocalSender, registration: Registration
) -> None:
    """The other is faster between each look at the registry and each call."""

    class Overtaken(LocalSender):
        def send_many(self, calls: Any) -> Any:
            registrant.send_many([(f"{intent} first", call) for intent, call in calls])
            return super().send_many(calls)

    outcome = register(registration, registry, Overtaken(actor("slow")))
    assert outcome.transactions == 4
    assert registry.is_registered(registration.model_id)


def test_register__address_for_a_registered_model__is_announced(
    registry: ModelRegistry, registrant: LocalSender, registration: Registration
) -> None:
    register(registration, registry, registrant)
    assert register(registration, registry, registrant).transactions == 0
    uri = "x" * 256
    assert register(registration, registry, registrant, uri=uri).transactions == 1


@pytest.mark.parametrize("uri", ["x" * 257, "é" * 129])
def test_register__address_too_long__is_refused_before_anything_is_sent(
    registry: ModelRegistry, registrant: LocalSender, registration: Registration, uri: str
) -> None:
    with pytest.raises(UriTooLong, match="at most 256"):
        register(registration, registry, registrant, uri=uri)
    assert registrant.sent == []


def test_register__leaves_that_do_not_open__are_refused_with_the_reason(
    registry: ModelRegistry, registrant: LocalSender, registration: Registration
) -> None:
    first, second, third = registration.groups
    wrong = replace(registration, groups=(first, replace(second, leaves=second.leaves[::-1]), third))
    with pytest.raises(CallReverted, match="model: group does not open"):
        register(wrong, registry, registrant)
    assert registry.checked_groups(registration.model_id) == 0b001


def test_flag__by_the_owner__is_read_back(
    registry: ModelRegistry, owner: LocalSender, registrant: LocalSender, registration: Registration
) -> None:
    owner.send_many([("flag", registry.flag(registration.model_id, True, NO_WORD))])
    register(registration, registry, registrant)
    assert registry.model(registration.model_id).is_flagged
    assert registry.is_registered(registration.model_id)
    assert (registry.owner(), registry.pending_owner()) == (owner.account, NOBODY)


# ------------------------------------------------------------------ what a dispute cannot carry
def embedding_of(width: int) -> ProgramBuilder:
    builder = ProgramBuilder(TOKENS)
    builder.add("embedding", 0, table=builder.table("words", TableShape("matrix", 50, width)))
    return builder


def wide_operand() -> Program:
    builder = embedding_of(8200)
    operand = builder.add("quantise", 1, group=8200)
    builder.add("linear", operand, table=builder.table("head", TableShape("linear", 4, 8200)), shift=20)
    return builder.build()


def wide_row() -> Program:
    return embedding_of((1 << 18) + 1).build()


def many_heads() -> Program:
    builder = embedding_of(67 * 8)
    split = {"heads": 65, "key_heads": 1, "head_size": 8, "causal": 1}
    operand = builder.add("quantise", 1, group=8)
    scores = builder.add("scores", operand, multiplier=1, **split)
    weights = builder.add("softmax", scores, operand, **split)
    builder.add("mix", weights, operand, **split)
    return builder.build()


def large_window() -> Program:
    builder = ProgramBuilder(Shape("bytes", 32 * 32, 128))
    image = builder.add("pixels", 0, table=builder.table("pixels", TableShape("matrix", 128, 256)))
    builder.add("average_pool", image, height=32, width=32, channels=128, size=32, stride=1)
    return builder.build()


def many_rows() -> Program:
    builder = ProgramBuilder(Shape("bytes", (1 << 18) + 1, 1))
    builder.add("pixels", 0, table=builder.table("pixels", TableShape("matrix", 1, 256)))
    return builder.build()


def two_tokens_a_row() -> Program:
    builder = ProgramBuilder(Shape("tokens", None, 2))
    builder.add("embedding", 0, table=builder.table("words", TableShape("matrix", 50, 8)))
    return builder.build()


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (wide_operand(), "operator 2 .quantise. has groups of 8200 columns, at most 8192"),
        (wide_row(), "operator 1 .embedding. has rows of 262145, at most 262144"),
        (many_heads(), "operator 3 .scores. has rows of 1040 leaves, at most 1024"),
        (large_window(), "operator 2 .average_pool. has rows of 1025 leaves, at most 1024"),
        (many_rows(), "the input has 262145 rows, at most 262144"),
        (two_tokens_a_row(), "the input has rows of 2 tokens, not of one"),
    ],
    ids=lambda value: "" if isinstance(value, Program) else value.split(" ")[-1],
)
def test_check_disputable__what_no_reveal_holds__is_refused_by_place(program: Program, words: str) -> None:
    with pytest.raises(ModelRefused, match=words):
        check_disputable(program.input, program_tree(program).descriptors)


def test_check_disputable__too_many_operators__is_refused() -> None:
    descriptors = program_tree(chain_of_activations(4096)).descriptors
    check_disputable(TOKENS, descriptors[:4095])
    with pytest.raises(ModelRefused, match="4096 operators, at most 4095"):
        check_disputable(TOKENS, descriptors)


def test_check_disputable__real_programs__pass() -> None:
    for name in ("digits-e16", "minilm-e16", "smollm2-e16x"):
        Registration.of(real_manifest(name))
    check_disputable(averaging_program().input, program_tree(averaging_program()).descriptors)
