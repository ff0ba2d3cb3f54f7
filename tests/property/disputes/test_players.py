"""Challenger against defender without a chain: every lie is found and proved, and only lies are."""

from __future__ import annotations

import functools
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adversaries.forged_run import ForgedRun, Lie
from proofmill.disputes.challenger import Agree, Challenger, Contradict, OwnRunIsWrong, Prove, answer_leaves
from proofmill.disputes.claim import GENERATION, MAP, NO_STOP_TOKEN, DisputedClaim
from proofmill.disputes.claimed_answer import ClaimedToken, path_root, token_hash, token_leaves
from proofmill.disputes.defender import Defender
from proofmill.disputes.matter import Matter, Reruns
from proofmill.disputes.rerun import CommittedModel, Rerun
from proofmill.disputes.revealed import Revealed
from proofmill.exact.commitment.keccak import Bytes
from proofmill.exact.commitment.merkle import roots
from proofmill.exact.program.sampling import Sampling
from proofmill.exact.trace.claims import (
    AnswerCommitment,
    RequestCommitment,
    RequestKind,
    answer_tokens,
    input_item,
)
from proofmill.exact.trace.geometry import Leaf, Part
from tests.property.exact.test_exact_programs import sample_of
from tests.suite.table_game import TableGame, Verdict
from tests.suite.traces import LENGTHS, MODELS, SAMPLING

CLAIM_ID = b"claim".rjust(32, b"\1")


def root_of(answer: Bytes) -> bytes:
    return path_root([node.tobytes() for node in roots(roots(answer))])


@functools.cache
def committed(name: str) -> CommittedModel:
    return CommittedModel.of(MODELS[name]("E16x" if name == "encoder" else "E16", 3))


@functools.cache
def honest(name: str) -> Rerun:
    model = committed(name).model
    sample = sample_of(model, 5)
    if name in LENGTHS:
        sample = [random.Random(i).randrange(9) for i in range(LENGTHS[name])]
    return Rerun.of(committed(name), torch.tensor(sample), SAMPLING.get(name))


def claim_of(
    rerun: Rerun, answer: Bytes, sampling: Sampling | None = None, **changes: object
) -> DisputedClaim:
    fields = {
        "job_id": 1,
        "record": bytes(32),
        "provider": "0x" + "11" * 20,
        "item": 0,
        "program_root": rerun.program.root,
        "operators": rerun.operators,
        "length": rerun.trace.run.length,
        "inverse_temperature": sampling.inverse_temperature if sampling else 0,
        "seed": sampling.seed if sampling else 0,
        "kind": MAP,
        "prompt_rows": rerun.trace.run.length,
        "prompt_root": rerun.trace.roots[0],
        "answer_rows": len(answer),
        "answer_root": root_of(answer),
        "maximum_new_tokens": 0,
        "stop_token": 0,
    }
    assert changes.keys() <= fields.keys()
    return DisputedClaim(**{**fields, **changes})  # type: ignore[arg-type]


def play(name: str, defended: Rerun, answer: Bytes) -> tuple[Verdict, TableGame]:
    own, revealed = honest(name), Revealed()
    claim = claim_of(own, answer, SAMPLING.get(name))
    challenger = Challenger(claim, CLAIM_ID, own, revealed)
    game = TableGame(CLAIM_ID, challenger, Defender(defended, answer), revealed)
    return game.play(), game


def random_lie(name: str, number: int, chosen: random.Random) -> Lie:
    """Anywhere in an operator's output: by one, by a bit, or far off."""
    rerun = honest(name)
    geometry = rerun.geometry(number)
    parts: list[Part] = [part for part in ("values", "witness", "supplement") if getattr(geometry, part)]
    part = chosen.choice(parts)
    grid = geometry.grid(part)
    row, section = chosen.randrange(grid.rows), chosen.randrange(grid.sections)
    index = chosen.randrange(grid.count(row))
    integers = rerun.rows(number).integers(Leaf(part, row))
    assert integers is not None
    old = int(integers[row if part == "supplement" else 0, section, index])
    bits = 14 if grid.codec.size(4) == 64 else 30
    new = chosen.choice([old + 1, old - 1, old ^ 1 << chosen.randrange(bits), -old - 1])
    limit = {"quantise": 2**13}.get(rerun.program.descriptors[number - 1].kind, 2**31 - 1)
    if part != "witness" and index >= 2:
        new = max(-limit, min(limit, new))
    if rerun.program.descriptors[number - 1].kind == "quantise" and index == 0:
        new = (old + 1) % 18
    return Lie(number, part, row, section, index, new if new != old else old + 1)


@pytest.mark.parametrize("name", sorted(MODELS))
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_every_lie_is_proved_where_it_was_told(name: str, data: st.DataObject) -> None:
    own = honest(name)
    number = data.draw(st.integers(1, own.operators), label="operator")
    lie = random_lie(name, number, random.Random(data.draw(st.integers(0, 2**32), label="seed")))
    run = own.trace.run
    forged = ForgedRun(
        run.model, run.input if run.input.shape[1] > 1 else run.input[:, 0], [lie], sampling=run.sampling
    )
    defended = Rerun.of_run(own.committed, forged)
    verdict, game = play(name, defended, answer_leaves(defended, 0))
    assert isinstance(verdict, Prove), lie
    assert verdict.accusation.number == number
    expected = 4 if lie.part == "supplement" or lie.number == own.operators else 3
    assert len(game.replies) <= expected or name.startswith("wide")
    assert len(game.replies) <= 4


@pytest.mark.parametrize("name", sorted(MODELS))
def test_an_honest_answer_is_agreed_with_after_its_trace(name: str) -> None:
    verdict, game = play(name, honest(name), answer_leaves(honest(name), 0))
    assert verdict == Agree()
    assert game.replies == ["post_trace"]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_false_answer_with_an_honest_trace_is_contradicted(name: str) -> None:
    answer = np.array(answer_leaves(honest(name), 0))
    answer[-1, -1, -1, 0] ^= 1
    verdict, _ = play(name, honest(name), answer)
    assert isinstance(verdict, Contradict)
    assert verdict.contradiction[0] == 4


def test_a_trace_of_another_input_is_contradicted() -> None:
    name = "wide_encoder"
    own = honest(name)
    other = own.trace.run.input[:, 0].clone()
    other[3] = (other[3] + 1) % 9
    defended = Rerun.of(own.committed, other)
    verdict, _ = play(name, defended, answer_leaves(defended, 0))
    assert isinstance(verdict, Contradict)
    assert verdict.contradiction[0] == 1


# ------------------------------------------------------------------ generations
PROMPT = (3, 1, 4, 1)
STOP = 8
NEW_TOKENS = 6


def generation(tokens: tuple[int, ...]) -> Rerun:
    """An honest trace over the prompt and what is claimed to follow it."""
    ids = torch.tensor([*PROMPT, *tokens[:-1]])
    return Rerun.of(committed("decoder"), ids, SAMPLING["decoder"])


@functools.cache
def right_tokens() -> tuple[int, ...]:
    """Token by token, by definition."""
    tokens: tuple[int, ...] = ()
    while len(tokens) < NEW_TOKENS and STOP not in tokens:
        rerun = generation((*tokens, 0))
        integers = rerun.rows(rerun.operators).integers(Leaf("values", len(PROMPT) - 1 + len(tokens)))
        assert integers is not None
        tokens = (*tokens, int(integers[0, 0, 0]))
    return tokens


def generation_claim(own: Rerun, leaves: Bytes, **changes: int) -> DisputedClaim:
    prompt = Rerun.of(committed("decoder"), torch.tensor(PROMPT), SAMPLING["decoder"])
    fields = {
        "kind": GENERATION,
        "prompt_rows": len(PROMPT),
        "prompt_root": prompt.trace.roots[0],
        "maximum_new_tokens": NEW_TOKENS,
        "stop_token": STOP,
    }
    return claim_of(own, leaves, SAMPLING["decoder"], **{**fields, **changes})


class Shelf:
    """One model, whatever is asked for."""

    def committed(self, model_id: bytes) -> CommittedModel:
        return committed("decoder")


def play_generation(
    tokens: tuple[int, ...],
    *,
    defended: Rerun | None = None,
    **changes: int,
) -> Verdict:
    """The claim that `tokens` follow the prompt, defended with a trace over them unless told otherwise."""
    own, leaves = generation(tokens), token_leaves(tokens)
    claim, revealed = generation_claim(own, leaves, **changes), Revealed()
    challenger = Challenger(claim, CLAIM_ID, own, revealed, tokens)
    return TableGame(CLAIM_ID, challenger, Defender(defended or own, leaves), revealed).play()


def contradiction(verdict: Verdict) -> int:
    assert isinstance(verdict, Contradict)
    return int(verdict.contradiction[0])


def test_generation__the_right_tokens__are_agreed_with() -> None:
    assert play_generation(right_tokens()) == Agree()


@pytest.mark.parametrize("place", [0, 2, -1])
def test_generation__a_wrong_token__contradicts_its_own_trace(place: int) -> None:
    tokens = list(right_tokens())
    tokens[place] = next(token for token in range(8) if token != tokens[place])
    changes = {"stop_token": NO_STOP_TOKEN, "maximum_new_tokens": len(tokens)}
    assert contradiction(play_generation(tuple(tokens), **changes)) == 4


def test_generation__a_trace_over_another_prompt_or_other_tokens__is_contradicted() -> None:
    tokens = right_tokens()
    assert len(tokens) > 2
    for place, what in ((1, 2), (len(PROMPT) + 1, 3)):
        ids = [*PROMPT, *tokens[:-1]]
        ids[place] = (ids[place] + 1) % 8
        other = Rerun.of(committed("decoder"), torch.tensor(ids), SAMPLING["decoder"])
        assert contradiction(play_generation(tokens, defended=other)) == what


def test_generation__too_many_tokens_or_an_end_in_the_wrong_place__is_contradicted() -> None:
    tokens = right_tokens()
    assert contradiction(play_generation(tokens, maximum_new_tokens=len(tokens) - 1)) == 5
    short = tuple(token for token in tokens if token != STOP)[:2]
    assert contradiction(play_generation(short)) == 6
    assert contradiction(play_generation(tokens, stop_token=tokens[0])) == 7


def test_generation__too_long_and_no_token_at_all__the_length_is_shown_first() -> None:
    tokens = right_tokens()
    assert contradiction(play_generation((*tokens[:-1], STOP + 1), maximum_new_tokens=len(tokens) - 1)) == 5
    assert (
        contradiction(play_generation((*tokens[:-1], STOP + 1))) == 8
    )  # though it ends without the stop token


def test_generation__of_a_program_that_chooses_nothing__is_contradicted() -> None:
    own = honest("encoder")
    leaves = token_leaves((1, 2))
    claim = claim_of(own, leaves, kind=GENERATION, prompt_rows=own.trace.run.length - 1, maximum_new_tokens=2)
    revealed = Revealed()
    challenger = Challenger(claim, CLAIM_ID, own, revealed, (1, 2))
    assert contradiction(TableGame(CLAIM_ID, challenger, Defender(own, leaves), revealed).play()) == 4


def test_generation__a_hash_that_is_a_token_after_all__is_nothing_to_accuse() -> None:
    """Whoever reads the answer wrongly is told so, and loses nothing on chain."""
    tokens = right_tokens()
    own = generation(tokens)
    leaves = token_leaves(tokens)
    claim = generation_claim(own, leaves)
    revealed, misread = Revealed(), (*tokens[:-1], token_hash(tokens[-1]))
    challenger = Challenger(claim, CLAIM_ID, own, revealed, misread)
    with pytest.raises(OwnRunIsWrong, match="is a token of the vocabulary"):
        TableGame(CLAIM_ID, challenger, Defender(own, leaves), revealed).play()


@pytest.mark.parametrize(
    ("tokens", "read"),
    [
        ((1, 2, 3), (1, 2)),
        ((1, 9, 3), (1,)),
        ((-1, 2, 3), ()),
        ((1, 2, 9), (1, 2)),
        ((1, b"\1" * 32, 3), (1,)),
    ],
)
def test_matter__a_run_of_a_generation__ends_before_the_first_that_is_no_token(
    tokens: tuple[ClaimedToken, ...], read: tuple[int, ...]
) -> None:
    prompt = torch.tensor(PROMPT)
    own = Rerun.of(committed("decoder"), prompt, SAMPLING["decoder"])
    claim = generation_claim(own, token_leaves(tokens))
    answer = AnswerCommitment([answer_tokens([1])])
    request = RequestCommitment(RequestKind.GENERATION, [input_item(PROMPT)], maximum_new_tokens=NEW_TOKENS)
    matter = Matter(1, b"\1" * 32, request, [prompt], answer, None, [tokens])
    assert matter.tokens_of(claim) == tokens
    assert matter.input_of(claim, committed("decoder").vocabulary).tolist() == [*PROMPT, *read]
    rerun = Reruns(Shelf()).of(CLAIM_ID, claim, matter)
    assert rerun.trace.run.input[:, 0].tolist() == [*PROMPT, *read]
