"""The journal, the sender's lock and the event cursor on PostgreSQL, where the tests are given one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from proofmill.chain import EventSync, Journal, Status, Suite, open_database
from proofmill.chain.database import metadata
from proofmill.chain.errors import SenderLocked
from tests.integration.conftest import SenderFactory

VARIABLE = "PROOFMILL_TEST_DATABASE"
RECIPIENT = "0x00000000000000000000000000000000000000ac"


@pytest.fixture
def postgres() -> Iterator[Journal]:
    url = os.environ.get(VARIABLE)
    if url is None:
        pytest.skip(f"{VARIABLE} names no PostgreSQL database (postgresql+psycopg://…)")
    schema = f"test_{uuid.uuid4().hex}"
    server = open_database(url)
    with server.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    engine = open_database(f"{url}?options=-csearch_path%3D{schema}")
    yield Journal(engine)
    metadata.drop_all(engine)
    engine.dispose()
    with server.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    server.dispose()


def test_postgres__sender_lock_and_sync__work_as_on_sqlite(
    postgres: Journal, suite: Suite, make_sender: SenderFactory
) -> None:
    start = suite.mill_token.web3.eth.block_number + 1
    sender = make_sender(database=postgres)
    with pytest.raises(SenderLocked):
        make_sender(database=Journal(postgres.engine))
    call = suite.mill_token.transfer(RECIPIENT, 5)
    assert sender.send("pay", call) == sender.send("pay", call)
    assert sender.status("pay") is Status.MINED
    sync = EventSync(
        suite.mill_token.web3, [suite.mill_token], postgres.engine, name="test", start_block=start
    )
    result = sync.poll()
    assert [event.args["value"] for event in result] == [5]
    sync.acknowledge(result)
    assert len(sync.poll()) == 0
    sender.close()
    make_sender(database=postgres).close()
