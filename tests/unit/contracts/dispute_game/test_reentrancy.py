"""Code of strangers runs inside the game's calls: a stake token with hooks, a requester's callback. It cannot enter again.

MILL calls nobody. Here the stake token does, and one account plays everybody, so that nothing but the lock stands in its way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boa
import pytest

from tests.suite.deployment import (
    MAX_UINT256,
    MILL,
    MODEL_ID,
    NO_WORD,
    NOBODY,
    REASON,
    SUPPLY,
    THAW_PERIOD,
    Job,
    Suite,
    actor,
    deploy,
    now,
    travel_to,
)
from tests.unit.contracts.dispute_game.bench import (
    BOND,
    CHALLENGE_WINDOW,
    OPERATORS,
    PROGRAM_ROOT,
    RESPONSE,
    ROOTS,
    SALT,
    TOTAL,
    WINDOW,
    Bench,
    accusation,
    contradiction,
    exchange,
    question,
    wait,
)

REENTERS = 3  # behaviour of a MockJobCallback
REVERTED_WITHOUT_A_WORD = b""  # as the lock does; every refusal of the game has a reason
ENTRIES = ("open", "time_out", "reclaim", "settle")


@dataclass
class Scene:
    """A game whose every party, owner included, is one account that the token calls."""

    bench: Bench
    token: Any
    player: Any
    entries: dict[str, Callable[[], Any]]  # calls that move tokens, ready to be made
    calls: dict[str, bytes]  # every function of the game, each as it would succeed now
    time: int

    def attack(self, entry: str, name: str) -> bytes:
        """Makes a call while the token is moving in another one; what the inner call reverted with."""
        before = self.player.attempts(), self.player.successes()
        self.player.arm(self.bench.game.address, self.calls[name])
        self.entries[entry]()
        assert self.player.attempts() > before[0]
        assert self.player.successes() == before[1], name
        self.player.arm(NOBODY, b"")
        return bytes(self.player.answer())


def hooked_suite() -> tuple[Suite, Any]:
    """Escrow and staking over a stake token with hooks, and the account that is hooked."""
    token, player = deploy("mocks/MockHookStakeToken.vy"), deploy("mocks/MockHookRecipient.vy")
    admin, evaluator = actor("admin"), actor("evaluator")
    staking = deploy("Staking.vy", token.address, admin, THAW_PERIOD)
    escrow = deploy("JobEscrow.vy", staking.address, admin)
    with boa.env.prank(admin):
        staking.set_verifier(escrow.address, True)
        staking.add_earnings_token(token.address)
        escrow.set_evaluator(evaluator)
        escrow.set_payment_token(token.address, 10**18)
        escrow.set_rates(0, 0, 1_000, 1_000)
    token.mint(player.address, SUPPLY)
    token.set_hook(player.address, sender=player.address)
    for spender in (staking, escrow):
        token.approve(spender.address, MAX_UINT256, sender=player.address)
    staking.stake(100_000 * MILL, sender=player.address)
    suite = Suite(
        mill=token,
        coin=None,
        staking=staking,
        escrow=escrow,
        committee=None,
        registry=None,
        admin=admin,
        holder=NOBODY,
        arbiter=NOBODY,
        treasury=NOBODY,
        insurance=NOBODY,
        relayer=evaluator,
        stranger=actor("stranger"),
        members=[],
    )
    return suite, player


def hooked_bench() -> tuple[Bench, Any]:
    suite, player = hooked_suite()
    reader, verifier = deploy("mocks/MockTraceReader.vy"), deploy("mocks/MockOpVerifier.vy")
    models = deploy("mocks/MockModelRegistry.vy")
    models.set_model(MODEL_ID, PROGRAM_ROOT, OPERATORS)
    parts = (suite.escrow, suite.staking, models, reader, verifier)
    game = deploy("DisputeGame.vy", *[part.address for part in parts], player.address)
    with boa.env.prank(suite.admin):
        suite.escrow.set_arbiter(game.address)
        suite.escrow.set_windows(CHALLENGE_WINDOW, WINDOW)
    suite.mill.approve(game.address, MAX_UINT256, sender=player.address)
    party = str(player.address)
    return Bench(suite, game, models, party, party, party, party, party, party), player


def named(bench: Bench) -> tuple[int, Any]:
    """A challenge that has named an item whose trace nobody has posted."""
    job = bench.submitted()
    challenge = bench.open(job)
    return challenge, bench.name(challenge, job)


def refuted(bench: Bench) -> Job:
    job = bench.submitted()
    bench.prove(*bench.traced(job))
    return job


def set_the_scene() -> Scene:
    bench, player = hooked_bench()
    game, evaluator = bench.game, bench.suite.relayer  # who has no committee behind it

    late, late_too = bench.open(bench.submitted()), bench.open(bench.submitted())
    bench.submitted()  # its number is not that of a challenge
    dismissed = bench.submitted()
    lost = bench.open(dismissed)
    wait(TOTAL + 1)
    game.time_out(lost)

    doubted, doubted_too = bench.submitted(), bench.submitted()
    condemned = bench.submitted()
    bench.suite.escrow.reject(*bench.of(condemned), REASON, sender=evaluator)
    asking, naming = bench.submitted(), bench.submitted()
    asked, naming_one = bench.open(asking), bench.open(naming)
    traced, claim, root = bench.traced(bench.submitted())
    unposted = named(bench)[1]
    returned, decided = refuted(bench), refuted(bench)
    returnable, decisive = (int(bench.case(job).lead) for job in (returned, decided))
    game.transfer_ownership(player.address, sender=player.address)

    talk = exchange()
    rows, roots = (list(part) for part in zip(*talk.answered, strict=True))
    arguments: dict[str, tuple[Any, ...]] = {
        "transfer_ownership": (player.address,),
        "accept_ownership": (),
        "commit": (SALT,),
        "open": (*bench.of(doubted), SALT),
        "ask_items": (asked, asking.terms, asking.answer, MODEL_ID, bench.exchanges[asking.id].request),
        "name_item": (naming_one, *bench.naming(naming)),
        "ask": (traced, claim, question(b"\1" * 32)),
        "appeal": bench.of(condemned),
        "post_trace": (unposted, ROOTS),
        "reveal_items": (dismissed.id, bench.record(dismissed), rows, roots),
        "reveal_tree": (claim.id, 0, 2, ROOTS),
        "reveal_rows": (claim.id, 0, 2, NO_WORD, ROOTS),
        "reveal_leaves": (claim.id, 1, 4, 0, 0, ROOTS),
        "reveal_row": (claim.id, 1, 2, 0, 0, [b"one", b"two"]),
        "reveal_leaf": (claim.id, b"leaf"),
        "prove": (traced, claim, accusation(), claim.evidence(root)),
        "contradict": (traced, claim, contradiction(claim.answer_rows)),
        "take_lead": (traced,),
        "time_out": (late_too,),
        "settle": bench.of(dismissed),
        "reclaim": (returnable,),
        "set_challenge_bond": (MILL,),
        "challenge": (traced,),
        "case": (decided.id, bench.record(decided)),
        "ruling": (decided.id, bench.record(decided)),
        "clock_of": (WINDOW,),
        "claim_id_of": (claim,),
        "trace_root": (claim.id,),
        "revealed_at": (claim.id,),
    }
    functions = [entry["name"] for entry in game.abi if entry["type"] == "function"]
    assert arguments.keys() <= set(functions)
    calls = {
        name: bytes(getattr(game, name).prepare_calldata(*arguments.get(name, ()))) for name in functions
    }
    entries: dict[str, Callable[[], Any]] = {
        "open": lambda: bench.open(doubted_too),
        "time_out": lambda: game.time_out(late),
        "reclaim": lambda: game.reclaim(decisive),
        "settle": lambda: game.settle(*bench.of(decided)),
    }
    return Scene(bench, bench.suite.mill, player, entries, calls, now())


@pytest.fixture(scope="module")
def the_scene() -> Scene:
    boa.env.sstore_trace.clear()
    return set_the_scene()


@pytest.fixture
def scene(the_scene: Scene) -> Scene:
    travel_to(the_scene.time)
    return the_scene


# ------------------------------------------------------------------ the stake token
@pytest.mark.parametrize("entry", ENTRIES)
def test_reentrancy__from_token_hooks_into_every_function(scene: Scene, entry: str) -> None:
    """One lock for all: whatever call holds it, no other and not the same one can be entered."""
    for name in scene.calls:
        with boa.env.anchor():
            assert scene.attack(entry, name) == REVERTED_WITHOUT_A_WORD, name


def test_reentrancy__each_call_succeeds_by_itself__and_these_move_tokens(scene: Scene) -> None:
    """So it is the lock that refuses them above; and there are no other entries."""
    moving = set()
    for name, call in scene.calls.items():
        with boa.env.anchor():
            scene.player.arm(scene.bench.game.address, scene.calls["commit"])
            scene.player.act(scene.bench.game.address, call)
            if scene.player.attempts():
                moving.add(name)
    assert moving == {"open", "time_out", "reclaim"}
    with boa.env.anchor():
        scene.player.arm(scene.bench.game.address, scene.calls["commit"])
        scene.entries["settle"]()
        assert scene.player.attempts() > 0


def test_reentrancy__leaves_the_books_as_they_were(scene: Scene) -> None:
    """INV-1, with a call that would take a bond twice."""
    game, player = scene.bench.game, scene.player
    before = scene.token.balanceOf(game.address)
    assert before == scene.bench.held
    player.arm(game.address, scene.calls["reclaim"])
    player.act(game.address, scene.calls["reclaim"])
    assert (player.attempts(), player.successes()) == (1, 0)
    assert before - scene.token.balanceOf(game.address) == BOND
    with boa.reverts("challenge: not open"):
        player.act(game.address, scene.calls["reclaim"])
    assert scene.token.balanceOf(game.address) == scene.bench.held


def test_refusal__of_a_stake_token_holds_nobody_elses_bond(scene: Scene) -> None:
    """MILL refuses nobody; with a token that did, only who refuses would wait."""
    game, player, token = scene.bench.game, scene.player, scene.token
    other = scene.bench.stranger = actor("other challenger")
    token.mint(other, BOND)
    token.approve(game.address, BOND, sender=other)
    job = scene.bench.submitted()
    theirs = scene.bench.open(job, other)
    traced = scene.bench.traced(job)
    scene.bench.prove(*traced)
    player.refuse(True)
    with boa.reverts("mock: hook refuses"):
        game.reclaim(traced[0])
    game.reclaim(theirs)
    assert token.balanceOf(other) == BOND
    player.refuse(False)
    game.reclaim(traced[0])
    assert token.balanceOf(game.address) == scene.bench.held


def test_compiled_lock__is_one_word_for_all_functions(scene: Scene) -> None:
    layout = scene.bench.game.compiler_data.storage_layout
    locks = [
        entry
        for section in layout.values()
        for name, entry in section.items()
        if isinstance(entry, dict) and "nonreentrant" in name
    ]
    assert len(locks) == 1


# ------------------------------------------------------------------ a requester's callback
@pytest.mark.parametrize("name", ["settle", "time_out", "reclaim", "prove", "commit", "ruling"])
def test_reentrancy__from_the_callback_of_an_answer_that_is_upheld(scene: Scene, name: str) -> None:
    """The escrow calls it while the game is still settling."""
    bench, callback = scene.bench, deploy("mocks/MockJobCallback.vy")
    job = bench.submitted(callback=callback.address)
    bench.suite.escrow.reject(*bench.of(job), REASON, sender=bench.suite.relayer)
    bench.game.appeal(*bench.of(job), sender=bench.operator)
    wait(RESPONSE + 1)
    callback.behave(REENTERS)
    callback.arm(bench.game.address, scene.calls[name])
    bench.game.settle(*bench.of(job))
    assert (callback.calls(), callback.reentered()) == (1, False)
    assert bench.game.ruling(job.id, bench.record(job)) == 2
