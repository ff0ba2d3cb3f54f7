"""Who leads when: pure functions of the committee, the latest sequence on chain and the time that has passed.

The leader of sequence s is member s mod n. With L the latest sequence on chain, L+1 is open at once and L+1+k after k
patience periods. The opening rule binds signers too: without it a dishonest leader could have a far sequence signed, and a
sequence near 2^64 would be the committee's last.
"""

from dataclasses import dataclass

# A member's clock and its view of the chain may run this many places ahead of its peers'.
SKEW_IN_PLACES = 1


@dataclass(frozen=True)
class Schedule:
    """A snapshot of what decides the order of leaders.

    Attributes:
        members: number of members, n.
        latest_sequence: the last sequence that the committee contract accepted.
        waited: seconds since the oldest pending verdict could have been reported.
        patience: seconds per leader.
    """

    members: int
    latest_sequence: int
    waited: float
    patience: float

    def leader(self, sequence: int) -> int:
        """Index of the member that may propose `sequence`."""
        return sequence % self.members

    def last_open(self) -> int:
        """The highest sequence that may be proposed now."""
        return self.latest_sequence + 1 + max(0, int(self.waited // self.patience))

    def is_open(self, sequence: int) -> bool:
        """Whether a member may sign `sequence` now, allowing for skew between members."""
        return self.latest_sequence < sequence <= self.last_open() + SKEW_IN_PLACES

    def mine(self, index: int, *, above: int = 0) -> int | None:
        """The lowest open sequence over `above` that member `index` leads, None when it is not its turn."""
        first = max(self.latest_sequence, above) + 1
        candidate = first + (index - first) % self.members
        return candidate if candidate <= self.last_open() else None

    def relay_rank(self, index: int, sequence: int) -> int:
        """0 for the leader of `sequence`, then 1, 2, … in member order: who relays after how many delays."""
        return (index - self.leader(sequence)) % self.members
