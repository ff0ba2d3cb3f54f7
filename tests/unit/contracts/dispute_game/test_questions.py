"""What a challenger may ask, when, and what each reveal answers."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_utils.crypto import keccak

from tests.models.dispute_game import tree_root
from tests.suite.deployment import MAX_UINT256, MODEL_ID, NO_WORD, now
from tests.unit.contracts.dispute_game.bench import (
    EXTENSION,
    GENERATION,
    MAP,
    OPERATORS,
    PROGRAM_ROOT,
    ROOTS,
    TOTAL,
    Bench,
    exchange,
    key_of,
    question,
    wait,
)

LEAF = b"leaf" * 64
LEAF_HASH = keccak(keccak(LEAF))
IMPOSSIBLE = keccak(b"no program answers with so many rows")


def ask(bench: Bench, challenge: int, claim: Any, node: bytes = LEAF_HASH) -> bytes:
    bench.game.ask(challenge, claim, question(node), sender=bench.challenger)
    return key_of(claim.id, 4, node)


# ------------------------------------------------------------------ items
def test_ask_items__names_the_deliverable(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    challenge = bench.open(job)
    key = bench.ask_items(challenge, job)
    assert bench.logged() == [("ItemsAsked", {"challenge_id": challenge, "key": key})]
    assert (game.challenge(challenge).pending, game.challenge(challenge).asks) == (key, 1)
    assert not game.challenge(challenge).is_answered


def test_reveal_items__answers(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    challenge = bench.open(job)
    key = bench.ask_items(challenge, job)
    rows, roots = zip(*bench.exchanges[job.id].answered, strict=True)
    game.reveal_items(job.id, bench.record(job), rows, roots, sender=bench.stranger)
    fields = {
        "job_id": job.id,
        "record": bench.record(job),
        "key": key,
        "rows": list(rows),
        "roots": list(roots),
    }
    assert bench.logged() == [("ItemsRevealed", fields)]
    assert game.challenge(challenge).is_answered
    assert game.revealed_at(key) == now()


def test_reveal_items__of_something_else_does_not_answer(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    challenge = bench.open(job)
    bench.ask_items(challenge, job)
    rows, roots = map(list, zip(*bench.exchanges[job.id].answered, strict=True))
    game.reveal_items(job.id, bench.record(job), [9, *rows[1:]], roots)
    game.reveal_items(job.id + 1, bench.record(job), rows, roots)
    game.reveal_items(job.id, bench.record(job), rows[:2], roots[:2])
    assert not game.challenge(challenge).is_answered
    with boa.reverts("reveal: rows without roots"):
        game.reveal_items(job.id, bench.record(job), rows, roots[:2])
    with boa.reverts("tree: too many hashes"):
        game.reveal_items(job.id, bench.record(job), [], [])


def test_ask_items__of_a_deliverable_that_is_the_hash_of_nothing_is_lost_by_silence(
    bench: Bench, game: Any
) -> None:
    job = bench.submitted(deliverable=b"\x13" * 32)
    challenge = bench.open(job)
    bench.ask_items(challenge, job)
    wait(TOTAL + 1)
    game.time_out(challenge)
    assert bench.case(job).status == 2


def test_ask_items__needs_record_and_request(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    wait(1)
    other = bench.submitted()
    challenge = bench.open(job)
    request = bench.exchanges[job.id].request
    with boa.reverts("dispute: another record"):
        game.ask_items(challenge, other.terms, other.answer, MODEL_ID, request, sender=bench.challenger)
    with boa.reverts("claim: another request"):
        game.ask_items(
            challenge, job.terms, job.answer, MODEL_ID, request._replace(seed=7), sender=bench.challenger
        )
    with boa.reverts("claim: another request"):
        game.ask_items(challenge, job.terms, job.answer, NO_WORD, request, sender=bench.challenger)


# ------------------------------------------------------------------ naming an item
@pytest.mark.parametrize("item", [0, 1, 2])
@pytest.mark.parametrize(("kind", "length"), [(MAP, (7, 8, 9)), (GENERATION, (7, 10, 12))])
def test_name_item__fixes_the_claim(
    bench: Bench, game: Any, kind: int, length: tuple[int, ...], item: int
) -> None:
    talk = exchange(kind, answers=(1, 3, 4)) if kind == GENERATION else exchange()
    job = bench.submitted(talk)
    challenge = bench.open(job)
    claim = bench.name(challenge, job, item)
    ((name, fields),) = bench.logged()
    assert (name, fields["challenge_id"], fields["claim_id"]) == ("ItemNamed", challenge, claim.id)
    assert tuple(fields["claim"]) == tuple(claim)
    assert claim.length == length[item]
    assert game.claim_id_of(claim) == claim.id == game.challenge(challenge).claim_id
    assert game.challenge(challenge).pending == claim.id
    assert game.challenge(challenge).asks == 1


def test_name_item__of_one(bench: Bench, game: Any) -> None:
    job = bench.submitted(exchange(prompts=(5,), answers=(1,)))
    bench.name(bench.open(job), job, 0)
    assert game.challenge(1).asks == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": 0}, "claim: unknown kind of request"),
        ({"kind": 3}, "claim: unknown kind of request"),
        ({"count": 0}, "claim: wrong number of items"),
        ({"count": 1_025}, "claim: wrong number of items"),
        ({"count": 2}, "claim: path of another depth"),
        ({"count": 4}, "claim: not what was answered"),
        ({"maximum_new_tokens": 1}, "claim: a map with new tokens"),
        ({"kind": GENERATION, "maximum_new_tokens": 0}, "claim: no or too many new tokens"),
        ({"kind": GENERATION, "maximum_new_tokens": 2**20 + 1}, "claim: no or too many new tokens"),
        (
            {"kind": GENERATION, "maximum_new_tokens": 1, "inverse_temperature": 2**24 + 1},
            "claim: too cold",
        ),
        ({"items_root": b"\1" * 32}, "claim: not what was asked"),
    ],
)
def test_name_item__of_a_malformed_request(bench: Bench, changes: dict[str, Any], reason: str) -> None:
    job = bench.submitted(exchange(**changes))
    challenge = bench.open(job)
    with boa.reverts(reason):
        bench.name(challenge, job)


@pytest.mark.parametrize("rows", [0, 2**20 + 1, MAX_UINT256])
def test_name_item__of_a_prompt_without_or_with_too_many_rows(bench: Bench, rows: int) -> None:
    job = bench.submitted(exchange(prompts=(7, rows, 9)))
    challenge = bench.open(job)
    with boa.reverts("claim: no or too many rows"):
        bench.name(challenge, job)


@pytest.mark.parametrize(
    ("kind", "rows"),
    [(MAP, 0), (MAP, 2**20 + 1), (GENERATION, 0), (GENERATION, 5), (GENERATION, MAX_UINT256)],
)
def test_name_item__of_an_impossible_answer_refutes_it(bench: Bench, game: Any, kind: int, rows: int) -> None:
    job = bench.submitted(exchange(kind, answers=(1, rows, 1)))
    challenge = bench.open(job)
    game.name_item(challenge, *bench.naming(job), sender=bench.challenger)
    fields = {"job_id": job.id, "record": bench.record(job), "challenge_id": challenge, "reason": IMPOSSIBLE}
    assert bench.logged()[1:] == [("CaseRefuted", fields)]
    assert (bench.case(job).status, game.ruling(job.id, bench.record(job))) == (2, 1)


@pytest.mark.parametrize(("kind", "rows"), [(MAP, 1), (MAP, 2**20), (GENERATION, 1), (GENERATION, 4)])
def test_name_item__of_a_possible_answer_does_not(bench: Bench, kind: int, rows: int) -> None:
    job = bench.submitted(exchange(kind, answers=(1, rows, 1)))
    bench.name(bench.open(job), job)
    assert bench.case(job).status == 1


def test_name_item__must_open_what_was_asked_and_answered(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    challenge = bench.open(job)
    naming = bench.naming(job)
    rows, root, path = naming[5]
    spoiled = [
        (4, 3, "claim: no such item"),
        (4, 0, "claim: not what was asked"),
        (5, (rows + 1, root, path), "claim: not what was asked"),
        (5, (rows, root, path[:1]), "claim: path of another depth"),
        (6, (1, root, naming[6][2]), "claim: not what was answered"),
        (6, (1, naming[6][1], [*naming[6][2], NO_WORD]), "claim: path of another depth"),
        (2, b"\1" * 32, "claim: another request"),
    ]
    for place, value, reason in spoiled:
        with boa.reverts(reason):
            game.name_item(challenge, *naming[:place], value, *naming[place + 1 :], sender=bench.challenger)


def test_name_item__of_a_model_that_nobody_registered(bench: Bench) -> None:
    bench.registry.set_model(MODEL_ID, PROGRAM_ROOT, 0)
    job = bench.submitted()
    challenge = bench.open(job)
    with boa.reverts("claim: model not registered"):
        bench.name(challenge, job)


@pytest.mark.parametrize("who", ["rival", "operator", "stranger"])
def test_questions__by_the_challenger_only(bench: Bench, game: Any, who: str) -> None:
    job = bench.submitted()
    challenge, claim, _ = bench.traced(job)
    caller = getattr(bench, who)
    with boa.reverts("dispute: not the challenger"):
        bench.name(challenge, job, who=caller)
    with boa.reverts("dispute: not the challenger"):
        bench.ask_items(challenge, job, who=caller)
    with boa.reverts("dispute: not the challenger"):
        game.ask(challenge, claim, question(LEAF_HASH), sender=caller)


def test_name_item__again_when_the_first_is_answered(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    challenge = bench.open(job)
    first = bench.name(challenge, job, 0)
    with boa.reverts("dispute: not answered yet"):
        bench.name(challenge, job, 1)
    bench.post(first)
    second = bench.name(challenge, job, 1)
    assert (game.challenge(challenge).claim_id, game.challenge(challenge).asks) == (second.id, 2)
    with boa.reverts("dispute: another claim"):
        game.ask(challenge, first, question(LEAF_HASH), sender=bench.challenger)
    with boa.reverts("dispute: no trace yet"):
        game.ask(challenge, second, question(LEAF_HASH), sender=bench.challenger)


# ------------------------------------------------------------------ the trace
@pytest.mark.parametrize("who", ["operator", "hot_key"])
def test_post_trace__once(bench: Bench, game: Any, who: str) -> None:
    job = bench.submitted()
    challenge = bench.open(job)
    claim = bench.name(challenge, job)
    game.post_trace(claim, ROOTS, sender=getattr(bench, who))
    root = tree_root(ROOTS)
    assert bench.logged() == [("TracePosted", {"claim_id": claim.id, "trace_root": root, "roots": ROOTS})]
    assert game.trace_root(claim.id) == root
    assert game.challenge(challenge).is_answered
    with boa.reverts("trace: already posted"):
        game.post_trace(claim, ROOTS[::-1], sender=bench.operator)


@pytest.mark.parametrize("who", ["challenger", "requester", "stranger"])
def test_post_trace__by_nobody_else(bench: Bench, game: Any, who: str) -> None:
    job = bench.submitted()
    claim = bench.name(bench.open(job), job)
    with boa.reverts("case: not the operator"):
        game.post_trace(claim, ROOTS, sender=getattr(bench, who))


@pytest.mark.parametrize(
    ("operators", "count"), [(1, 2), (OPERATORS, 4), (4, 5), (1_023, 1_024), (1_024, 513), (3_000, 751)]
)
def test_post_trace__takes_exactly_as_many_roots_as_there_are(
    bench: Bench, game: Any, operators: int, count: int
) -> None:
    job = bench.submitted()
    claim = bench.claim(job)._replace(operators=operators)
    roots = [keccak(bytes([place % 256, place // 256])) for place in range(count)]
    for wrong in (roots[:-1], [*roots, roots[0]]):
        if 0 < len(wrong) <= 1_024:
            with boa.reverts("trace: wrong number of roots"):
                game.post_trace(claim, wrong, sender=bench.operator)
    game.post_trace(claim, roots, sender=bench.operator)
    level = max(0, operators.bit_length() - 10)
    free = bytes(32)
    for _ in range(level):
        free = keccak(free + free)
    padded = [*roots, *[free] * (2 ** (operators.bit_length() - level) - count)]
    assert game.trace_root(claim.id) == tree_root(padded)


# ------------------------------------------------------------------ questions and reveals
def test_ask__begins_the_defenders_turn(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    challenge, claim, _ = bench.traced(job)
    wait(10)
    asked = question(LEAF_HASH)
    game.ask(challenge, claim, asked, sender=bench.challenger)
    ((name, fields),) = bench.logged()
    assert name == "Asked"
    assert tuple(fields.pop("question")) == asked
    key = key_of(claim.id, 4, LEAF_HASH)
    assert fields == {"challenge_id": challenge, "claim_id": claim.id, "key": key}
    state = game.challenge(challenge)
    assert (state.pending, state.is_answered, state.turn_began_at, state.asks) == (key, False, now(), 2)
    assert (state.challenger_left, state.defender_left) == (TOTAL - 10, TOTAL)


def test_ask__what_the_reader_refuses(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    challenge, claim, _ = bench.traced(job)
    with boa.reverts("mock: another trace"):
        game.ask(challenge, claim, question(LEAF_HASH, output_root=NO_WORD), sender=bench.challenger)


def test_ask__of_a_claim_that_was_not_named(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    challenge, claim, _ = bench.traced(job)
    with boa.reverts("dispute: another claim"):
        game.ask(challenge, claim._replace(length=5), question(LEAF_HASH), sender=bench.challenger)


def test_reveal_leaf__by_a_stranger_answers(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    challenge, claim, _ = bench.traced(job)
    key = ask(bench, challenge, claim)
    wait(100)
    game.reveal_leaf(claim.id, LEAF, sender=bench.stranger)
    assert bench.logged() == [("LeafRevealed", {"claim_id": claim.id, "key": key, "leaf": LEAF})]
    wait(50)
    state = game.challenge(challenge)
    assert (state.is_answered, state.turn_began_at) == (True, now() - 50)
    assert (state.challenger_left, state.defender_left) == (TOTAL, TOTAL - 100)


def test_reveal__of_something_else_or_for_another_claim_does_not_answer(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    challenge, claim, _ = bench.traced(job)
    ask(bench, challenge, claim)
    game.reveal_leaf(claim.id, LEAF + b"\0")
    game.reveal_leaf(bytes(32), LEAF)
    game.reveal_tree(claim.id, 0, 0, [LEAF_HASH])
    assert not game.challenge(challenge).is_answered


def test_reveal__the_first_time_counts(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    challenge, claim, _ = bench.traced(job)
    game.reveal_leaf(claim.id, LEAF)
    known_since = now()
    wait(100)
    key = ask(bench, challenge, claim)
    game.reveal_leaf(claim.id, LEAF)
    assert game.revealed_at(key) == known_since
    state = game.challenge(challenge)
    assert (state.is_answered, state.turn_began_at, state.defender_left) == (True, now(), TOTAL)
    assert state.challenger_left == TOTAL - 100


HASHES = [keccak(bytes([place])) for place in range(9)]


@pytest.mark.parametrize(("count", "level"), [(1, 0), (2, 0), (5, 0), (8, 0), (3, 2), (1, 5)])
@pytest.mark.parametrize("supplement", [None, b"\0" * 32, b"\1" * 32])
def test_reveal_tree_and_rows(
    bench: Bench, game: Any, count: int, level: int, supplement: bytes | None
) -> None:
    depth = (count - 1).bit_length()
    free = bytes(32)
    for _ in range(level):
        free = keccak(free + free)
    root = tree_root([*HASHES[:count], *[free] * (2**depth - count)])
    if supplement is None:
        game.reveal_tree(bytes(32), level, depth, HASHES[:count])
        key = key_of(bytes(32), 1, root, (level, depth, 0, 0, count))
    else:
        game.reveal_rows(bytes(32), level, depth, supplement, HASHES[:count])
        key = key_of(bytes(32), 2, keccak(root + supplement), (level, depth, int(any(supplement)), 0, count))
    fields = {
        "claim_id": bytes(32),
        "key": key,
        "supplement_root": supplement or bytes(32),
        "hashes": HASHES[:count],
    }
    assert bench.logged() == [("HashesRevealed", fields)]
    assert game.revealed_at(key) == now()


def test_reveal_tree__garbage_in_a_free_place_has_another_key(bench: Bench, game: Any) -> None:
    """Three rows are asked for; the node has a fourth that the shape does not have."""
    node = tree_root(HASHES[:4])
    game.reveal_tree(bytes(32), 0, 2, HASHES[:4])
    assert game.revealed_at(key_of(bytes(32), 1, node, (0, 2, 0, 0, 3))) == 0
    assert game.revealed_at(key_of(bytes(32), 1, node, (0, 2, 0, 0, 4))) == now()


def test_reveal_tree__too_deep_or_too_many(game: Any) -> None:
    with boa.reverts("reveal: too deep"):
        game.reveal_tree(bytes(32), 49, 0, HASHES[:1])
    with boa.reverts("reveal: too deep"):
        game.reveal_tree(bytes(32), 0, 11, HASHES[:1])
    with boa.reverts("tree: too many hashes"):
        game.reveal_tree(bytes(32), 0, 1, HASHES[:3])
    with boa.reverts("tree: too many hashes"):
        game.reveal_tree(bytes(32), 0, 0, [])


def part_root(hashes: list[bytes], sections: int, leaves: int) -> bytes:
    if not sections:
        return bytes(32)
    return tree_root(
        [tree_root(hashes[start : start + leaves]) for start in range(0, sections * leaves, leaves)]
    )


@pytest.mark.parametrize("shape", [(1, 1, 0, 0), (1, 5, 1, 1), (3, 1, 3, 2), (3, 5, 4, 3), (5, 3, 0, 0)])
@pytest.mark.parametrize("reached", [1, 9])
def test_reveal_row_and_leaves__agree(bench: Bench, game: Any, shape: tuple[int, ...], reached: int) -> None:
    """The row's leaves, of which each section has only so many; the key says how many there are in all."""
    leaves = [
        bytes([part, section, place]) if place < reached else b""
        for part in (0, 1)
        for section in range(shape[2 * part])
        for place in range(shape[2 * part + 1])
    ]
    hashes = [keccak(keccak(leaf)) if leaf else bytes(32) for leaf in leaves]
    split = shape[0] * shape[1]
    node = keccak(part_root(hashes[:split], *shape[:2]) + part_root(hashes[split:], *shape[2:]))
    key = key_of(bytes(32), 3, node, (*shape, sum(map(any, hashes))))
    with boa.env.anchor():
        game.reveal_leaves(bytes(32), *shape, hashes)
        fields = {"claim_id": bytes(32), "key": key, "supplement_root": bytes(32), "hashes": hashes}
        assert bench.logged() == [("HashesRevealed", fields)]
        assert game.revealed_at(key) == now()
        assert game.revealed_at(key_of(bytes(32), 4, hashes[0])) == 0
    game.reveal_row(bytes(32), *shape, leaves)
    single = [
        ("LeafRevealed", {"claim_id": bytes(32), "key": key_of(bytes(32), 4, hash), "leaf": leaf})
        for leaf, hash in zip(leaves, hashes, strict=True)
        if leaf
    ]
    assert bench.logged() == [*single, ("HashesRevealed", fields)]
    for known in (key, *[key_of(bytes(32), 4, hash) for hash in hashes if any(hash)]):
        assert game.revealed_at(known) == now()


@pytest.mark.parametrize(
    ("shape", "count", "reason"),
    [
        ((1, 1, 0, 0), 2, "reveal: wrong number of leaves"),
        ((0, 1, 1, 1), 1, "reveal: wrong number of leaves"),
        ((1, 0, 1, 1), 1, "reveal: wrong number of leaves"),
        ((1_025, 0, 0, 0), 1, "reveal: too many places"),
        ((2**255, 2, 1, 1), 1, "reveal: too many places"),
        ((1, 1, 2**128, 2**128), 1, "reveal: too many places"),
    ],
)
def test_reveal_leaves__of_another_shape(game: Any, shape: tuple[int, ...], count: int, reason: str) -> None:
    with boa.reverts(reason):
        game.reveal_leaves(bytes(32), *shape, HASHES[:count])


# ------------------------------------------------------------------ clocks
@pytest.mark.parametrize("late", [0, 1])
def test_ask__until_the_challengers_last_second(bench: Bench, game: Any, late: int) -> None:
    job = bench.submitted()
    challenge = bench.open(job)
    wait(TOTAL + late)
    if late:
        with boa.reverts("clock: challenger too late"):
            bench.name(challenge, job)
        return
    bench.name(challenge, job)
    assert game.challenge(challenge).challenger_left == 0


def test_ask__eight_times(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    challenge, claim, trace_root = bench.traced(job)
    game.reveal_leaf(claim.id, LEAF)
    for _ in range(7):
        ask(bench, challenge, claim)
    with boa.reverts("dispute: no questions left"):
        ask(bench, challenge, claim)
    with boa.reverts("dispute: no questions left"):
        bench.ask_items(challenge, job)
    bench.prove(challenge, claim, trace_root)  # the truth has no clock


def test_clock__each_turn_has_its_least(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    challenge = bench.open(job)
    wait(TOTAL)
    claim = bench.name(challenge, job)
    wait(TOTAL - 1)
    bench.post(claim)
    state = game.challenge(challenge)
    assert (state.challenger_left, state.defender_left) == (EXTENSION, 1)
    wait(EXTENSION)
    ask(bench, challenge, claim)
    state = game.challenge(challenge)
    assert (state.challenger_left, state.defender_left) == (0, EXTENSION)


def test_clock__a_late_answer_that_nobody_timed_out_counts(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    challenge = bench.open(job)
    claim = bench.name(challenge, job)
    wait(TOTAL + 5)
    bench.post(claim)
    state = game.challenge(challenge)
    assert (state.is_answered, state.defender_left) == (True, 0)
    with boa.reverts("dispute: clock still runs"):
        game.time_out(challenge)
