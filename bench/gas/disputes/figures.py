"""Every figure about disputes: whole games, the step that ends them by kind of operator, and how long a game takes.

Games about the widest models take minutes to set up: ``python -m bench.gas`` plays them, ``--check`` does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from adversaries.forged_run import Lie
from bench.gas.disputes import PROOF, WHOLE
from bench.gas.disputes.court import Court, Sent
from bench.gas.disputes.games import Game, whole_game
from bench.gas.disputes.llama import llama
from bench.gas.disputes.steps import small_steps
from bench.gas.disputes.works import Work, digits, minilm, smollm, smollm_generation
from proofmill.exact.trace.geometry import Leaf, Part

Figures = dict[str, int]
Groups = dict[str, Figures]
CourtScenario = Callable[[Court], Groups]

SMALL: Final = "small models"
OTHER_BIT: Final = 1 << 26  # far from the truth, and within what every layout of values holds
DIGIT: Final = 1 << 7


# ------------------------------------------------------------------ figures
def proof_figures(proof: Sent) -> Figures:
    """What a terminal step costs, and why."""
    return {
        "gas": proof.gas,
        "at 4 and 16 a byte": proof.standard,
        "floor": proof.floor,
        "execution": proof.execution,
        "zero bytes": proof.zero_bytes,
        "other bytes": proof.other_bytes,
    }


def game_figures(game: Game) -> Figures:
    """A terminal step and the game before it."""
    return proof_figures(game.proof) | {
        "replies": len(game.replies),
        "operator": game.gas_of("operator"),
        "challenger": game.gas_of("challenger"),
    }


def move_figures(game: Game) -> Figures:
    """Gas of every transaction by side and place, and all of each side's."""
    figures: Figures = {}
    for side in ("challenger", "operator"):
        for place, sent in enumerate(game.moves(side), start=1):
            figures[f"{side} {place}: {sent.name}"] = sent.gas
        figures[f"{side} in all"] = game.gas_of(side)
    return figures


# ------------------------------------------------------------------ lies
def lie(work: Work, number: int, part: Part = "values", index: int = -1, *, is_continued: bool = True) -> Lie:
    """One integer of the last row of an operator's output, another than it is; ``index`` may count from the end."""
    grid = work.honest.geometry(number).grid(part)
    row, section = grid.rows - 1, grid.sections - 1
    leaf_integers = work.honest.rows(number).integers(Leaf(part, row))
    assert leaf_integers is not None
    index = range(grid.count(row))[index]
    old = int(leaf_integers[row if part == "supplement" else 0, section, index])
    kind = work.committed.model.program.operators[number - 1].kind
    is_digits = kind in ("quantise", "softmax") and part != "witness"
    return Lie(number, part, row, section, index, old ^ (DIGIT if is_digits else OTHER_BIT), is_continued)


def lies(work: Work) -> Iterator[Lie]:
    """About the first operator of every kind and shape: its last number, and the first and last of what else it commits to."""
    seen = set[tuple[str, bool]]()
    for number, operator in enumerate(work.committed.model.program.operators, start=1):
        geometry = work.honest.geometry(number)
        shape = (operator.kind, geometry.supplement is not None)
        if shape in seen or operator.kind == "linear":  # linear operators are games of their own
            continue
        seen.add(shape)
        yield lie(work, number, is_continued=operator.kind not in ("scores", "softmax"))
        if operator.kind == "quantise":
            yield lie(work, number, index=0, is_continued=False)
        for part in ("witness", "supplement"):
            if geometry.witness is not None and part == "witness":
                yield lie(work, number, "witness", 0, is_continued=False)
                yield lie(work, number, "witness", -1, is_continued=False)
            if geometry.supplement is not None and part == "supplement":
                yield lie(work, number, "supplement", is_continued=False)


# ------------------------------------------------------------------ scenarios
def _linear(court: Court, work: Work, table: str, columns: int) -> tuple[Groups, Game]:
    game = whole_game(court, work, [lie(work, work.number_of("linear", table))])
    return {f"{PROOF}, {work.name}: linear.element, K = {columns:,}": game_figures(game)}, game


def small_models(court: Court) -> Groups:
    """Every kind and check."""
    return {
        f"{PROOF}, {SMALL}: {kind}.{check}": proof_figures(proof)
        for (kind, check), proof in small_steps(court).items()
    }


def minilm_games(court: Court) -> Groups:
    """A false linear operator in the first layer."""
    narrow, game = _linear(court, minilm(), "0.up", 384)
    wide, _ = _linear(court, minilm(), "0.down", 1_536)
    return narrow | wide | {f"{WHOLE}, MiniLM": move_figures(game)}


def smollm_games(court: Court) -> Groups:
    """Of a prefill and of a generation; the lie about the latter changes its last token."""
    prefill, first = _linear(court, smollm(), "0.down", 1_536)
    generation, second = _linear(court, smollm_generation(), "head", 576)
    games = {f"{WHOLE}, {smollm().name}": first, f"{WHOLE}, {smollm_generation().name}": second}
    return prefill | generation | {name: move_figures(game) for name, game in games.items()}


def llama_games(court: Court) -> Groups:
    """Linear operators as wide as any model's on the list."""
    narrow, _ = _linear(court, llama(), "attention_output", 2_048)
    wide, game = _linear(court, llama(), "down", 8_192)
    return narrow | wide | {f"{WHOLE}, Llama 1B": move_figures(game)}


def every_kind(work: Callable[[], Work]) -> CourtScenario:
    """A game about each kind of operator of a model; of one check the dearest proof is shown."""

    def play_all(court: Court) -> Groups:
        found: Groups = {}
        for each in lies(work()):
            game = whole_game(court, work(), [each])
            name = f"{PROOF}, {work().name}: {game.kind}.{game.check}"
            figures = game_figures(game)
            if name not in found or found[name]["gas"] < figures["gas"]:
                found[name] = figures
        return found

    return play_all


#: What `--check` measures too.
SHORT: Final[dict[str, CourtScenario]] = {
    "small models": small_models,
    "MiniLM": minilm_games,
}
LONG: Final[dict[str, CourtScenario]] = {
    "SmolLM2": smollm_games,
    "every kind, MiniLM": every_kind(minilm),
    "every kind, SmolLM2": every_kind(smollm),
    "every kind, digits": every_kind(digits),
    "Llama 1B": llama_games,
    "every kind, Llama 1B": every_kind(llama),
}
