"""What disputes cost: whole games between a lying operator and a challenger, move by move, and the step that ends them."""

from __future__ import annotations

from typing import Final

#: Groups of figures begin so: one transaction that proves a false step; one game, move by move; the time that a game takes.
PROOF: Final = "proof"
WHOLE: Final = "whole game"
TIME: Final = "time"
#: The rules of gas that the figures are of: what anvil has when it is not told otherwise.
HARDFORK: Final = "Bpo1"
