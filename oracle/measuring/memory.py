"""What a member keeps of challenges across restarts: which nonces it gave, what it saw, and what the others say they saw.

For one device in one window a member signs one observation, whatever it would find later: two that differ would be the work of
a liar.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from eth_typing import ChecksumAddress
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    delete,
    select,
)

from oracle.database import insert_once, prepare_tables
from oracle.measuring.messages import ObservationMessage
from proofmill.chain.database import database_failures
from proofmill.measuring.observations import SignedObservation

WINDOWS_KEPT: Final = 32

_metadata = MetaData()

_nonces = Table(
    "measuring_nonces",
    _metadata,
    Column("beacon", LargeBinary(32), primary_key=True),
    Column("operator", String(42), primary_key=True),
    Column("window", BigInteger, nullable=False),
)

# By whom, about what. `window` is below 2^63 for as long as there are blocks.
_observations = Table(
    "observations",
    _metadata,
    Column("beacon", LargeBinary(32), primary_key=True),
    Column("device_id", LargeBinary(32), primary_key=True),
    Column("operator", String(42), primary_key=True),
    Column("member", String(42), primary_key=True),
    Column("window", BigInteger, nullable=False, index=True),
    Column("message", Text, nullable=False),
)


class MeasuringMemory:
    """One member's memory of challenges. Safe for several threads of one process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        prepare_tables(engine)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with database_failures("the measurements"), self._engine.begin() as connection:
            yield connection

    # ---------------------------------------------------------------- nonces
    def claim(self, beacon: bytes, operator: ChecksumAddress, window: int) -> bool:
        """Whether this is the first nonce for the operator in this window; the answer is yes only once."""
        return insert_once(
            self._engine,
            _nonces,
            {"beacon": beacon, "operator": operator, "window": window},
            "the measurements",
        )

    def given(self, beacon: bytes) -> frozenset[ChecksumAddress]:
        """The operators that were given a nonce in this window."""
        query = select(_nonces.c.operator).where(_nonces.c.beacon == beacon)
        with self._transaction() as connection:
            return frozenset(ChecksumAddress(row.operator) for row in connection.execute(query))

    # ---------------------------------------------------------------- observations
    def keep(self, member: ChecksumAddress, signed: SignedObservation) -> SignedObservation:
        """Keep what a member saw; what is kept comes back, which is the first that it said of this device in this window."""
        found = signed.observation
        place: dict[str, Any] = {
            "beacon": found.beacon,
            "device_id": found.device_id,
            "operator": found.operator,
            "member": member,
        }
        message = ObservationMessage.of(signed).model_dump_json()
        if insert_once(
            self._engine,
            _observations,
            {**place, "window": found.window, "message": message},
            "the measurements",
        ):
            return signed
        query = select(_observations.c.message).where(
            *(_observations.c[name] == value for name, value in place.items())
        )
        with self._transaction() as connection:
            return _signed(connection.execute(query).scalar_one())

    def seen_by(self, member: ChecksumAddress, beacon: bytes) -> list[SignedObservation]:
        """What one member saw in a window, by device."""
        query = (
            select(_observations.c.message)
            .where(_observations.c.beacon == beacon, _observations.c.member == member)
            .order_by(_observations.c.operator, _observations.c.device_id)
        )
        return self._read(query)

    def seen_in(self, member: ChecksumAddress, windows: Iterable[int]) -> list[SignedObservation]:
        """What one member saw in these windows, the newest first."""
        query = (
            select(_observations.c.message)
            .where(_observations.c.window.in_(list(windows)), _observations.c.member == member)
            .order_by(_observations.c.window.desc(), _observations.c.operator, _observations.c.device_id)
        )
        return self._read(query)

    def about(
        self, operator: ChecksumAddress, device_id: bytes, windows: Sequence[int]
    ) -> dict[int, list[SignedObservation]]:
        """What all members saw of a device, by window, each in the order of the members' addresses.

        Of two branches of the chain both may be here; who judges them drops those of other beacons.
        """
        query = (
            select(_observations.c.message)
            .where(
                _observations.c.operator == operator,
                _observations.c.device_id == device_id,
                _observations.c.window.in_(windows),
            )
            .order_by(_observations.c.window, _observations.c.member)
        )
        found: dict[int, list[SignedObservation]] = {}
        for signed in self._read(query):
            found.setdefault(signed.observation.window, []).append(signed)
        return found

    def devices(self, windows: Iterable[int]) -> list[tuple[ChecksumAddress, bytes]]:
        """The devices of which anything was seen in these windows, in a fixed order."""
        query = (
            select(_observations.c.operator, _observations.c.device_id)
            .where(_observations.c.window.in_(list(windows)))
            .distinct()
            .order_by(_observations.c.operator, _observations.c.device_id)
        )
        with self._transaction() as connection:
            rows = connection.execute(query).all()
        return [(ChecksumAddress(row.operator), bytes(row.device_id)) for row in rows]

    def forget_before(self, window: int) -> None:
        """Let go of windows that no report can rest on any more."""
        with self._transaction() as connection:
            for table in (_nonces, _observations):
                connection.execute(delete(table).where(table.c.window < window - WINDOWS_KEPT))

    def _read(self, query: Any) -> list[SignedObservation]:
        with self._transaction() as connection:
            return [_signed(row.message) for row in connection.execute(query)]


def _signed(message: str) -> SignedObservation:
    return ObservationMessage.model_validate_json(message).signed()
