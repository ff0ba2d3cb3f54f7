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
and L, in the contracts of today, the job's bond: b = L / P is what the requester asks for, at least `bond_rate`.
Each open job has a bond of its own that no cap can touch, so lying on many jobs at once is neither better nor worse
than lying on one. **The stake beyond the bond does not deter**: the escrow never takes it."""
STAKE: Final = """\
**From which stake on.** A bond is at most {fault_cap} of the operator's stake and all open ones together at most
{window_cap}, so a worker needs a stake of {default_stake:.0f} times the price of each single job at the default bond
({stake_per_price:.0f} times at the least bond with which lies lose everywhere), and {open_factor:.1f} times all open
bonds. If the escrow took what Staking allows for one fault, {fault_cap} of the whole stake, bonds of one price would
do: a lie about one job loses from a stake of {stake_at_risk:.0f} times its price on, provided that jobs above
1/{divisor} of the stake are always judged (`large_job_divisor`; by default 20): with larger jobs, a spree that is
caught three times has used up the {window_cap} that 30 days may cost, and what it lies about beyond is nearly free."""
BONDS: Final = """\
**Why the client asks for the bond, and the escrow does not.** The escrow insists on `bond_rate` (one price); the
client of this package asks for {multiple} times that unless its user says otherwise (`--bond`), and says before it
pays what a lie would cost. A `bond_rate` of {share} would have the same effect on lies, and one on requesters: the
compensation is capped by the price *at the bond rate*, so a wrong answer would bring them up to {windfall} times what
they paid. As it is, it brings them their price back and once more.

The late penalty is a share of the bond: {late} (`late_penalty_bps`), {late_price} of a price at the default bond; with
the {initial} that the escrow starts with it would be {initial_price} prices. Who asks for the least bond has lies that
pay, and a worker that is late for {late_least} of the price."""
COST: Final = """\
Steady state: {floor} of jobs by {judges} judges, {cost} of the cost of inference if a re-execution costs as much as
the job; the goal of 5 % holds where checking is at least a sixth cheaper than answering (a generation is checked in
one prefill) or one judge is drawn ({single}). At a bond of one price, a floor high enough to make lies lose would
make every second job a checked one."""
CANARIES: Final = """\
A member that signs without running the model spares the cost c of a re-execution each time. With canaries among a
share τ of what it signs it loses its bond after 1/τ signatures, so blind signing loses if and only if c < τ · bond.
At the defaults ({canaries}, {bond} MILL) it does where a re-execution costs less than {worth} MILL; the average job
here costs 1.65 MILL. A committee for dearer jobs needs larger bonds, which its owner can set (`set_member_bond`).
Canaries must look like other jobs: an account whose lies are known is a new or a faulty operator, and a member may
check just those. The committee earns nothing for verdicts by default (`evaluator_fee` 0)."""
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
- A lie is refuted here while its bond is still pledged, as judges do. One that comes out only after it was paid costs as
  much, but no more than the caps of Staking leave, so of many that come out late together not all cost their bond.
- A liar whose judges were bribed can still be challenged by anyone until the challenge window has passed, which costs
  the judges their bonds too. That is not counted."""
