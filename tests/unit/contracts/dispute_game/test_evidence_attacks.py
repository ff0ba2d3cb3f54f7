"""Evidence of the wrong shape: reveals that hash to what was asked and are something else, and calldata that no encoder makes."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.suite.deployment import NO_WORD, now
from tests.unit.contracts.dispute_game.bench import ROOTS, Bench, key_of, question

FREE_WORD = b"\x5a" * 32


# ------------------------------------------------------------------ keys
def test_keys__no_reveal_of_one_form_answers_for_another(bench: Bench, game: Any) -> None:
    """The same 64 bytes as a leaf, a row, two rows, items, nodes at another height: only two nodes at this one answer."""
    job = bench.submitted()
    challenge, claim, _ = bench.traced(job)
    left, right = ROOTS[:2]
    node = keccak(left + right)
    asked = question(node, form=1, numbers=(0, 1, 0, 0, 2))
    game.ask(challenge, claim, asked, sender=bench.challenger)
    pending = game.challenge(challenge).pending
    game.reveal_leaf(claim.id, left + right)
    game.reveal_leaf(claim.id, node)
    game.reveal_leaves(claim.id, 1, 2, 0, 0, [left, right])
    game.reveal_leaves(claim.id, 1, 1, 1, 1, [left, right])
    game.reveal_rows(claim.id, 0, 0, right, [left])
    game.reveal_rows(claim.id, 0, 1, NO_WORD, [left, right])
    game.reveal_tree(claim.id, 0, 0, [node])
    game.reveal_tree(claim.id, 1, 1, [left, right])
    game.reveal_tree(bench.record(job), 0, 1, [left, right])
    game.reveal_items(job.id, bench.record(job), [1, 1], [left, right])
    assert not game.challenge(challenge).is_answered
    game.reveal_tree(claim.id, 0, 1, [left, right])
    assert game.challenge(challenge).is_answered
    assert game.revealed_at(pending) == now()


def test_keys__a_trace_is_posted_by_its_operator_or_not_at_all(bench: Bench, game: Any) -> None:
    """A claim's id is the key of its trace; whatever strangers reveal is filed under a hash of eight words, not of sixteen."""
    job = bench.submitted()
    challenge = bench.open(job)
    claim = bench.name(challenge, job)
    case_id = keccak(encode(["uint256", "bytes32"], [job.id, bench.record(job)]))
    for id in (claim.id, case_id, NO_WORD):
        game.reveal_tree(id, 0, 2, ROOTS)
        game.reveal_rows(id, 0, 2, NO_WORD, ROOTS)
        game.reveal_leaf(id, encode(["bytes32"] * 4, ROOTS))
    assert game.revealed_at(claim.id) == game.revealed_at(NO_WORD) == 0
    assert not game.challenge(challenge).is_answered


def test_keys__items_are_answered_for_by_items_only(bench: Bench, game: Any) -> None:
    """A deliverable is keccak(count ‖ root), which is also a node over two hashes."""
    job = bench.submitted()
    challenge = bench.open(job)
    bench.ask_items(challenge, job)
    case_id = keccak(encode(["uint256", "bytes32"], [job.id, bench.record(job)]))
    answered = bench.exchanges[job.id].answered
    hashes = [item.hash for item in answered]
    root = keccak(keccak(hashes[0] + hashes[1]) + keccak(hashes[2] + NO_WORD))
    count = len(answered).to_bytes(32, "big")
    assert keccak(count + root) == job.answer.deliverable
    game.reveal_tree(case_id, 0, 1, [count, root])
    game.reveal_rows(case_id, 0, 0, root, [count])
    game.reveal_leaf(case_id, count + root)
    assert not game.challenge(challenge).is_answered


# ------------------------------------------------------------------ calldata that no encoder makes
def call(game: Any, signature: str, *words: bytes) -> bool:
    """Whether the call succeeds."""
    data = keccak(signature.encode())[:4] + b"".join(word.rjust(32, b"\0") for word in words)
    return not boa.env.execute_code(game.address, data=data).is_error


def test_calldata__with_other_offsets_says_the_same(bench: Bench, game: Any) -> None:
    claim_id, leaf = FREE_WORD, b"\7" * 32
    key = key_of(claim_id, 4, keccak(keccak(leaf)))
    words = (claim_id, b"\x80", b"\xff" * 32, b"\xff" * 32, b"\x20", leaf)
    assert call(game, "reveal_leaf(bytes32,bytes)", *words)
    assert game.revealed_at(key) == now()


def test_calldata__that_ends_before_its_data_reveals_nothing_of_it(bench: Bench, game: Any) -> None:
    claim_id, leaf = FREE_WORD, b"\7" * 64
    key = key_of(claim_id, 4, keccak(keccak(leaf)))
    cut = call(game, "reveal_leaf(bytes32,bytes)", claim_id, b"\x40", b"\x40", leaf[:32])
    filled = key_of(claim_id, 4, keccak(keccak(leaf[:32] + bytes(32))))
    assert game.revealed_at(key) == 0
    assert bool(game.revealed_at(filled)) == cut  # what is missing counts as zeros, if it counts


def test_calldata__of_two_lists_that_are_one_reveals_that_one_twice(bench: Bench, game: Any) -> None:
    """Rows and roots at the same place: filed is what they hash to, which is nobody's answer."""
    job = bench.submitted()
    challenge = bench.open(job)
    bench.ask_items(challenge, job)
    record = bench.record(job)
    words = [item.root for item in bench.exchanges[job.id].answered]
    place = b"\x80"
    signature = "reveal_items(uint256,bytes32,uint256[],bytes32[])"
    assert call(game, signature, job.id.to_bytes(32, "big"), record, place, place, b"\3", *words)
    assert not game.challenge(challenge).is_answered


@pytest.mark.parametrize("offset", [2**256 - 1, 2**256 - 4, 2**255, 2**64])
def test_calldata__that_points_nowhere__reverts_or_reveals_nothing(game: Any, offset: int) -> None:
    words = (FREE_WORD, offset.to_bytes(32, "big"), b"\x20", b"\7" * 32)
    call(game, "reveal_leaf(bytes32,bytes)", *words)
    assert game.revealed_at(key_of(FREE_WORD, 4, keccak(keccak(b"\7" * 32)))) == 0
