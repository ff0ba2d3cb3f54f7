"""The sentences of docs/ECONOMICS.md; what is in braces comes from the results."""

from __future__ import annotations

from typing import Final

HEADER: Final = """\
# What cheating pays

`python -m bench.economics` plays ways to cheat against the verification policy itself (`proofmill/sampling.py`) and
the money rules of the contracts, and writes this page, its figures and `bench/economics/results.json` (seed {seed}).
One life is at most {jobs} jobs.

**Gain** is what a cheater has more than the same operator would have had by working honestly on the same jobs: the
cost that a lie spares, less what refuted lies cost. Amounts are in MILL; the median price of a job is 1 MILL, prices
are log-normal. Everything that the rules leave open is chosen against the protocol: a lie wins the whole price (an
honest operator just covers its costs), nobody but the committee looks (no requester checks its answer), a slashed
operator has a new stake at once, and gas is free."""
CONDITION: Final = """\
A lie about a job of price P spares s·P. With probability p·d it is refuted: the price goes back to the requester and
L is slashed. It does not pay if and only if

    s·P < p·d·(P + L)

p is the rate at which the job is judged, d the probability that not all judges who are drawn are the liar's friends,
and L, in the contracts of today, the job's bond: b = L / P is `bond_rate`, or more where the requester asks for it.
Each open job has a bond of its own that no cap can touch, so lying on many jobs at once is neither better nor worse
than lying on one. **The stake beyond the bond does not deter**: the escrow never takes it."""
STAKE: Final = """\
**From which stake on.** With bonds: an operator needs a stake of ten times the bond of a job (a bond is at most
{fault_cap} of it) and {open_factor:.1f} times all open bonds (at most {window_cap}), so {stake_per_price:.0f} times
the price of each single job at the bond that makes lies lose everywhere. If the escrow took what Staking allows for
one fault, {fault_cap} of the whole stake, bonds could stay as they are: a lie about one job loses from a stake of
{stake_at_risk:.0f} times its price on, provided that jobs above 1/{divisor} of the stake are always judged
(`large_job_divisor`; by default 20): with larger jobs, a spree that is caught three times has used up the
{window_cap} that 30 days may cost, and what it lies about beyond is nearly free."""
SIDE_EFFECTS: Final = """\
**Side effects of raising `bond_rate`.** The late penalty is {late} of the bond and the compensation is capped by the
price *at the bond rate*, so both grow with it: at a rate of 50 who is late loses five times the price, and a wrong
answer brings its requester up to 25 times what it paid. Raise it together with a lower `late_penalty_bps`, or let
requesters ask for larger bonds at a rate of 1, which leaves the compensation at the price."""
COST: Final = """\
Steady state: {floor} of jobs by {judges} judges, {cost} of the cost of inference if a re-execution costs as much as
the job; the goal of 5 % holds where checking is at least a sixth cheaper than answering (a generation is checked in
one prefill) or one judge is drawn ({single}). A floor high enough to make lies lose at a bond of one price would make
every second job a checked one."""
CANARIES: Final = """\
A member that signs without running the model spares the cost c of a re-execution each time. With canaries among a
share τ of what it signs it loses its bond after 1/τ signatures, so blind signing loses if and only if c < τ · bond.
At the defaults ({canaries}, {bond} MILL) that is up to {worth} MILL per re-execution; the average job here costs 1.65
MILL, so the default bond is too small for it. Canaries must look like other jobs: an account whose lies are known is
a new or a faulty operator, and a member may check just those. The committee earns nothing for verdicts by default
(`evaluator_fee` 0)."""
LIMITS: Final = """\
- What a lie wins beyond the price (who believes a false answer) is not in the model; the requester can ask for a bond
  that covers it, and a bond above a twentieth of the stake is always judged.
- Judges that re-execute are never wrong and never late; `Draw.substitutes` take over from silent ones. A judge who is
  silent for a friend is a corrupt one here.
- Requesters and watchers that re-execute answers add to p; any share of them helps in the same way as a higher floor.
- Reputation counts jobs, not money, so it can be bought with own jobs at a price of next to nothing (`whitewash`).
  Nothing above relies on it: the condition is for the floor. A fault also makes a newcomer's job a finished one.
- Proposers are assumed not to leave out blocks to move the beacon; `beacon_delay_blocks` keeps the proposer of the
  submission's block from knowing it.
- A liar whose judges were bribed can still be challenged by anyone until the challenge window has passed, which costs
  the judges their bonds too. That is not counted."""
