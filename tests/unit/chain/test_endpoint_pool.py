"""Which endpoint a request goes to, and what becomes of one that fails, lags, is busy, or serves another chain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_utils.crypto import keccak
from web3 import Web3
from web3.types import RPCEndpoint, RPCResponse

from proofmill.chain.block_stamp import BlockStamp
from proofmill.chain.endpoint import RequestResult
from proofmill.chain.endpoint_pool import EndpointPool
from proofmill.chain.errors import CallReverted, EndpointsDisagree, RateLimited, RpcUnavailable, WrongChain
from proofmill.chain.node_provider import MAXIMUM_PAUSE, NodeProvider, public_name, retry_after
from proofmill.chain.quorum import agreed

CHAIN_ID = 5
STAMP = BlockStamp(7, b"\x07" * 32, b"\x06" * 32, 1_700_000_000, b"\x05" * 32, 3)


class ScriptedNode(NodeProvider):
    """Answers by a table of method → result, or a function; an exception in the table is raised."""

    def __init__(self, name: str, **results: Any) -> None:
        super().__init__(f"http://{name}")
        self.results = {"eth_chainId": hex(CHAIN_ID), "eth_blockNumber": "0x10", **results}
        self.asked: list[str] = []

    def ask(self, method: str, params: Any) -> RPCResponse:
        self.asked.append(method)
        result = self.results[method]
        if isinstance(result, Exception):
            raise result
        if isinstance(result, dict) and "error" in result:
            return {"jsonrpc": "2.0", "id": 1, "error": result["error"]}
        return {"jsonrpc": "2.0", "id": 1, "result": result}


class Clock:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_pool(clock: Clock) -> Callable[..., EndpointPool]:
    def make(*nodes: NodeProvider) -> EndpointPool:
        return EndpointPool(nodes, chain_id=CHAIN_ID, clock=clock, sleep=clock.sleep, probe_seconds=1e9)

    return make


MakePool = Callable[..., EndpointPool]
AWAY = RpcUnavailable("away", remedy="wait")
BALANCE = RPCEndpoint("eth_getBalance")
BROADCAST = RPCEndpoint("eth_sendRawTransaction")


def busy(seconds: float) -> RateLimited:
    return RateLimited("busy", remedy="wait", retry_after=seconds)


def test_read__first_endpoint_is_away__the_second_answers_and_is_kept(make_pool: MakePool) -> None:
    first, second = ScriptedNode("a", eth_getBalance=AWAY), ScriptedNode("b", eth_getBalance="0x2")
    pool = make_pool(first, second)
    assert pool.make_request(BALANCE, [])["result"] == "0x2"
    first.results["eth_getBalance"] = "0x1"
    assert pool.make_request(BALANCE, [])["result"] == "0x2"
    assert first.asked.count("eth_getBalance") == 1


def test_read__all_are_away__each_is_named(make_pool: MakePool) -> None:
    errors = [RpcUnavailable(f"{name} is away", remedy="wait") for name in "ab"]
    pool = make_pool(
        *(ScriptedNode(name, eth_getBalance=error) for name, error in zip("ab", errors, strict=True))
    )
    with pytest.raises(RpcUnavailable, match=r"a is away.*b is away"):
        pool.make_request(BALANCE, [])


def test_read__endpoint_serves_another_chain__is_never_asked_for_more(make_pool: MakePool) -> None:
    wrong, right = (
        ScriptedNode("a", eth_chainId="0x6", eth_getBalance="0x1"),
        ScriptedNode("b", eth_getBalance="0x2"),
    )
    pool = make_pool(wrong, right)
    assert pool.make_request(BALANCE, [])["result"] == "0x2"
    assert wrong.asked == ["eth_chainId"]
    assert pool.health()[0].is_wrong_chain


def test_read__only_endpoint_serves_another_chain__says_so(make_pool: MakePool) -> None:
    with pytest.raises(WrongChain, match="serves chain 6, expected 5"):
        make_pool(ScriptedNode("a", eth_chainId="0x6")).make_request(BALANCE, [])


def test_read__endpoint_comes_back_as_another_chain__is_noticed(make_pool: MakePool) -> None:
    """An address outlives the machine behind it."""
    node = ScriptedNode("a", eth_getBalance="0x1")
    pool = make_pool(node)
    pool.make_request(BALANCE, [])
    node.results["eth_getBalance"] = AWAY
    with pytest.raises(RpcUnavailable):
        pool.make_request(BALANCE, [])
    node.results.update(eth_getBalance="0x9", eth_chainId="0x6")
    with pytest.raises(WrongChain):
        pool.make_request(BALANCE, [])


def test_read__rate_limited__is_left_alone_for_as_long_as_it_says(make_pool: MakePool, clock: Clock) -> None:
    first, second = ScriptedNode("a", eth_getBalance=busy(30)), ScriptedNode("b", eth_getBalance="0x2")
    pool = make_pool(first, second)
    pool.make_request(BALANCE, [])
    second.results["eth_getBalance"] = AWAY
    with pytest.raises(RpcUnavailable):
        pool.make_request(BALANCE, [])
    assert first.asked.count("eth_getBalance") == 1
    clock.now = 31
    first.results["eth_getBalance"] = "0x1"
    assert pool.make_request(BALANCE, [])["result"] == "0x1"


def test_read__only_endpoint_is_rate_limited_for_a_moment__is_waited_for(
    make_pool: MakePool, clock: Clock
) -> None:
    node = ScriptedNode("a", eth_getBalance=busy(2))
    pool = make_pool(node)
    with pytest.raises(RateLimited):
        pool.make_request(BALANCE, [])
    assert clock.now == pytest.approx(
        4
    )  # two pauses of two seconds, and not a third beyond what a caller may wait
    assert node.asked.count("eth_getBalance") == 3


def test_read__rate_limit_as_an_error_in_the_answer__counts_as_one(make_pool: MakePool) -> None:
    limited = {"error": {"code": -32005, "message": "daily request count exceeded, request rate limited"}}
    pool = make_pool(ScriptedNode("a", eth_getBalance=limited), ScriptedNode("b", eth_getBalance="0x2"))
    assert pool.make_request(BALANCE, [])["result"] == "0x2"
    assert pool.health()[0].cooled_for > 0


def test_read__block_that_one_endpoint_does_not_have__another_is_asked(make_pool: MakePool) -> None:
    missing = {"error": {"code": -32000, "message": "header not found"}}
    pool = make_pool(ScriptedNode("a", eth_getBalance=missing), ScriptedNode("b", eth_getBalance="0x2"))
    assert pool.make_request(BALANCE, [])["result"] == "0x2"
    alone = make_pool(ScriptedNode("a", eth_getBalance=missing))
    assert alone.make_request(BALANCE, [])["error"]["message"] == "header not found"


def test_probe__endpoint_is_far_behind__reads_go_elsewhere_until_it_has_caught_up(
    make_pool: MakePool,
) -> None:
    first = ScriptedNode("a", eth_getBalance="0x1", eth_blockNumber="0xa")
    second = ScriptedNode("b", eth_getBalance="0x2", eth_blockNumber="0x10")
    pool = make_pool(first, second)
    assert pool.make_request(BALANCE, [])["result"] == "0x1"
    pool.probe()
    assert [health.lag for health in pool.health()] == [6, 0]
    assert pool.make_request(BALANCE, [])["result"] == "0x2"
    first.results["eth_blockNumber"] = "0xf"
    second.results["eth_getBalance"] = AWAY
    pool.probe()
    assert pool.make_request(BALANCE, [])["result"] == "0x1"


def test_development_method__goes_to_the_first_alone_and_once(make_pool: MakePool) -> None:
    first, second = ScriptedNode("a", anvil_mine=AWAY), ScriptedNode("b", anvil_mine=None)
    pool = make_pool(first, second)
    with pytest.raises(RpcUnavailable):
        pool.make_request(RPCEndpoint("anvil_mine"), [])
    assert (first.asked.count("anvil_mine"), second.asked) == (1, [])


# ---------------------------------------------------------------------- broadcast
RAW = "0x02f8"
HASH = f"0x{keccak(bytes.fromhex(RAW[2:])).hex()}"
KNOWN = {"error": {"code": -32000, "message": "already known"}}
USED = {"error": {"code": -32000, "message": "nonce too low"}}
CHEAP = {"error": {"code": -32000, "message": "replacement transaction underpriced"}}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((AWAY, HASH), HASH),
        ((USED, HASH), HASH),
        ((KNOWN, AWAY), HASH),
        ((KNOWN,), HASH),
        ((CHEAP, KNOWN), HASH),
    ],
)
def test_broadcast__one_has_it__is_a_success(
    make_pool: MakePool, answers: tuple[Any, ...], expected: str
) -> None:
    pool = make_pool(*(ScriptedNode(f"n{n}", eth_sendRawTransaction=one) for n, one in enumerate(answers)))
    assert pool.make_request(BROADCAST, [RAW])["result"] == expected


def test_broadcast__nobody_takes_it__the_refusal_that_names_what_to_change_is_returned(
    make_pool: MakePool,
) -> None:
    pool = make_pool(
        *(ScriptedNode(f"n{n}", eth_sendRawTransaction=one) for n, one in enumerate([USED, AWAY, CHEAP]))
    )
    assert "underpriced" in str(pool.make_request(BROADCAST, [RAW])["error"])


def test_broadcast__nobody_answers__is_not_repeated(make_pool: MakePool) -> None:
    """The journal must know of each attempt."""
    nodes = [ScriptedNode(name, eth_sendRawTransaction=AWAY) for name in "ab"]
    with pytest.raises(RpcUnavailable):
        make_pool(*nodes).make_request(BROADCAST, [RAW])
    assert [node.asked.count("eth_sendRawTransaction") for node in nodes] == [1, 1]


# ---------------------------------------------------------------------- quorum
def balances(*values: Any) -> list[ScriptedNode]:
    return [ScriptedNode(f"n{n}", eth_getBalance=value) for n, value in enumerate(values)]


def balance_of(web3: Web3) -> Callable[[bytes], int]:
    return lambda block: int(web3.eth.get_balance("0x" + "00" * 20, block))  # type: ignore[arg-type]


def test_agreed__two_say_the_same__is_that(make_pool: MakePool) -> None:
    web3 = Web3(make_pool(*balances("0x2", "0x3", "0x2")))
    assert agreed(web3, balance_of(web3), STAMP) == 2


def test_agreed__the_preferred_one_lies__is_outvoted_and_asked_last_from_now_on(make_pool: MakePool) -> None:
    pool = make_pool(*balances("0x9", "0x2", "0x2"))
    web3 = Web3(pool)
    assert agreed(web3, balance_of(web3), STAMP) == 2
    assert [endpoint.name for endpoint in pool.ranked()][-1] == "http://n0"


@pytest.mark.parametrize("values", [("0x2", "0x3"), ("0x2", AWAY), ("0x1", "0x2", "0x3")])
def test_agreed__no_two_say_the_same__names_who_said_what(
    make_pool: MakePool, values: tuple[Any, ...]
) -> None:
    web3 = Web3(make_pool(*balances(*values)))
    with pytest.raises(EndpointsDisagree) as failure:
        agreed(web3, balance_of(web3), STAMP)
    for position, value in enumerate(values):
        said = "says nothing: away" if value is AWAY else f"says {int(value, 16)}"
        assert f"http://n{position} {said}" in str(failure.value)


def test_agreed__two_refuse_alike__is_raised(make_pool: MakePool) -> None:
    web3 = Web3(make_pool(*balances("0x1", "0x1")))

    def refuse(_: bytes) -> int:
        raise CallReverted("escrow.job", "no such job")

    with pytest.raises(CallReverted, match="no such job"):
        agreed(web3, refuse, STAMP)


def test_agreed__one_endpoint__is_trusted_and_that_is_said_once(
    make_pool: MakePool, caplog: pytest.LogCaptureFixture
) -> None:
    web3 = Web3(make_pool(*balances("0x2")))
    assert [agreed(web3, balance_of(web3), STAMP) for _ in range(2)] == [2, 2]
    assert caplog.text.count("one endpoint is configured") == 1


# ---------------------------------------------------------------------- what is shown and counted
def test_observer__is_told_of_every_request(make_pool: MakePool) -> None:
    pool = make_pool(ScriptedNode("a", eth_getBalance=AWAY), ScriptedNode("b", eth_getBalance="0x2"))
    told: list[tuple[str, str, RequestResult]] = []
    pool.observe(lambda endpoint, method, result, _seconds: told.append((endpoint, method, result)))
    pool.make_request(BALANCE, [])
    assert ("http://a", "eth_getBalance", RequestResult.UNAVAILABLE) in told
    assert told[-1] == ("http://b", "eth_getBalance", RequestResult.ANSWERED)


def test_name__key_in_the_url__is_not_shown() -> None:
    assert public_name("https://user:pass@node.example:8545/v3/secret?key=1") == "https://node.example:8545"
    dead = NodeProvider("http://127.0.0.1:1/v3/secret", retries=1)
    with pytest.raises(RpcUnavailable) as failure:
        dead.make_request(BALANCE, [])
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3), ("0.5", 0.5), (None, 1), ("soon", 1), ("nan", 1), ("-4", 0), ("9e9", MAXIMUM_PAUSE)],
)
def test_retry_after__whatever_it_says__is_within_reason(header: str | None, seconds: float) -> None:
    assert retry_after(header) == seconds
