"""The bloom filter of a block: never says that an event is absent which is there."""

from hypothesis import given
from hypothesis import strategies as st

from proofmill.chain.log_bloom import LogFilter, _bits

ADDRESSES = st.binary(min_size=20, max_size=20)
TOPICS = st.binary(min_size=32, max_size=32)


def bloom_of(*values: bytes) -> bytes:
    total = 0
    for value in values:
        total |= _bits(value)
    return total.to_bytes(256, "big")


@given(st.lists(st.tuples(ADDRESSES, TOPICS), min_size=1, max_size=8), st.data())
def test_may_match__event_in_the_block__is_never_denied(
    logs: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    address, topic = data.draw(st.sampled_from(logs))
    bloom = bloom_of(*(part for log in logs for part in log))
    assert LogFilter([b"\xff" * 20, address], [topic, b"\xee" * 32]).may_match(bloom)


def test_may_match__address_without_the_topic__is_denied() -> None:
    assert not LogFilter([b"\x01" * 20], [b"\x02" * 32]).may_match(bloom_of(b"\x01" * 20))
    assert not LogFilter([b"\x01" * 20], [b"\x02" * 32]).may_match(bytes(256))
    assert not LogFilter([b"\x01" * 20], [b"\x02" * 32]).may_match(b"")
