# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Payment tokens: what came in and whose it is
@author Proofmill
@license Apache-2.0
@dev One word for each token: 128 bit owed | 128 bit bond rate. `owed` is the prices of all open jobs plus everything
     that waits here to be collected: it rises by a deposit, falls when tokens leave, and is the same while they change
     from one account of this module to another. INV-1: owed <= balance.
     Earnings, credit and fees leave by calls that are open to anyone and no setting touches.
"""

from ethereum.ercs import IERC20

from contracts.interfaces import IJobEscrow
from contracts.interfaces import IStaking
from contracts.modules import ownership
from contracts.modules import refusal
from contracts.modules import token_transfer

uses: ownership


# ERC-3009, as far as it is used here.
interface IAuthorizedTransfer:
    def receiveWithAuthorization(
        _from: address,
        _to: address,
        _amount: uint256,
        _valid_after: uint256,
        _valid_before: uint256,
        _nonce: bytes32,
        _v: uint8,
        _r: bytes32,
        _s: bytes32,
    ): nonpayable


OWED_SHIFT: constant(uint256) = 128
HALF_MASK: constant(uint256) = 2**128 - 1
MAX_COLLECTED: constant(uint256) = 2**96 - 1  # what Staking distributes at once
RATE_UNIT: constant(uint256) = 10**18  # base units of the price that a bond rate is for

STAKING: immutable(IStaking)


treasury: public(address)  # receives the protocol's fees
credit: public(HashMap[address, HashMap[address, uint256]])  # token -> account
earnings: public(HashMap[address, HashMap[address, uint256]])  # token -> operator
_tokens: HashMap[address, uint256]  # 128 bit owed | 128 bit bond rate
_fees: HashMap[address, HashMap[address, uint256]]  # token -> evaluator: 128 bit protocol | 128 bit evaluator


@deploy
def __init__(_staking: address):
    assert _staking != empty(address), "payments: no staking"
    STAKING = IStaking(_staking)


# ------------------------------------------------------------------ anyone
@external
def withdraw(_token: address, _account: address) -> uint256:
    """
    @notice Pays an account what waits for it.
    @dev Anyone.
    @param _token The payment token.
    @param _account Whose credit, and who receives it.
    @return The amount.
    """
    return self._withdraw(_token, _account, _account)


@external
def withdraw_to(_token: address, _receiver: address) -> uint256:
    """
    @notice Pays the caller's credit to another address, for one whose own address the token refuses.
    @dev Whoever has credit.
    @param _token The payment token.
    @param _receiver Who receives it.
    @return The amount.
    """
    if _receiver in [empty(address), self]:
        refusal._raise("payments: bad receiver")
    return self._withdraw(_token, msg.sender, _receiver)


@external
def collect_earnings(_token: address, _operator: address) -> uint256:
    """
    @notice Hands what an operator has earned to Staking, which shares it with its delegators.
    @dev Anyone. While the token refuses the transfer, the earnings stay. What is above 2 ** 96 - 1 takes another call.
    @param _token The payment token.
    @param _operator The operator.
    @return The amount.
    """
    earned: uint256 = self.earnings[_token][_operator]
    amount: uint256 = min(earned, MAX_COLLECTED)
    if amount == 0:
        refusal._raise("payments: no earnings")
    self.earnings[_token][_operator] = earned - amount
    self._discharge(_token, amount)
    log IJobEscrow.EarningsCollected(token=_token, operator=_operator, amount=amount)

    # Staking takes exactly this much at once, so no allowance is left over.
    if not extcall IERC20(_token).approve(STAKING.address, amount, default_return_value=True):
        refusal._raise("payments: approval failed")
    extcall STAKING.distribute(_operator, _token, amount)
    return amount


@external
def collect_fees(_token: address, _evaluator: address):
    """
    @notice Pays the fees of one evaluator's jobs: its own to the evaluator, the protocol's to the treasury. What the
            token refuses to move becomes credit of its receiver.
    @dev Anyone. Does nothing when there is none, so that nobody can foil a caller by being first.
    @param _token The payment token.
    @param _evaluator The evaluator.
    """
    word: uint256 = self._fees[_token][_evaluator]
    if word == 0:
        return
    self._fees[_token][_evaluator] = 0
    protocol_amount: uint256 = word >> OWED_SHIFT
    evaluator_amount: uint256 = word & HALF_MASK
    log IJobEscrow.FeesCollected(
        token=_token, evaluator=_evaluator, protocol_amount=protocol_amount, evaluator_amount=evaluator_amount
    )
    # There are protocol fees only if there was a treasury, and it cannot be taken away.
    if protocol_amount > 0:
        # slither reentrancy-no-eth: the lock is held, and the fees were cleared before
        self._pay(_token, self.treasury, protocol_amount)
    if evaluator_amount > 0:
        self._pay(_token, _evaluator, evaluator_amount)


# ------------------------------------------------------------------ owner
@external
def set_treasury(_treasury: address):
    """
    @notice Names who receives the protocol's fees, those that wait included.
    @dev Owner only.
    @param _treasury Any address but the zero address.
    """
    ownership._check_owner()
    if _treasury == empty(address):
        refusal._raise("payments: no treasury")
    self.treasury = _treasury
    log IJobEscrow.TreasurySet(treasury=_treasury)


@external
def set_payment_token(_token: address, _bond_rate: uint256):
    """
    @notice Takes new jobs in a token, or no more. What is owed in it is paid in any case.
    @dev Owner only.
    @param _token A token that Staking distributes: one that moves exactly what it is asked to or refuses.
    @param _bond_rate Stake tokens for 10 ** 18 base units of the price, below 2 ** 128; 0 takes no new jobs.
    """
    ownership._check_owner()
    if _bond_rate > HALF_MASK:
        refusal._raise("payments: bond rate too high")
    if _bond_rate > 0:
        if not staticcall STAKING.is_earnings_token(_token):
            refusal._raise("payments: no earnings token")
    self._tokens[_token] = self._tokens[_token] & ~HALF_MASK | _bond_rate
    log IJobEscrow.PaymentTokenSet(token=_token, bond_rate=_bond_rate)


# ------------------------------------------------------------------ views
@view
@external
def fees(_token: address, _evaluator: address) -> (uint256, uint256):
    """
    @notice Fees that wait.
    @param _token The payment token.
    @param _evaluator The evaluator of the jobs.
    @return The protocol's, and the evaluator's.
    """
    word: uint256 = self._fees[_token][_evaluator]
    return word >> OWED_SHIFT, word & HALF_MASK


@view
@external
def owed(_token: address) -> uint256:
    """
    @notice What the contract owes in a token, in all: open jobs, earnings, credit and fees.
    @param _token The payment token.
    @return Base units.
    """
    return self._tokens[_token] >> OWED_SHIFT


@view
@external
def bond_rate(_token: address) -> uint256:
    """
    @notice The least bond of new jobs.
    @param _token The payment token.
    @return Stake tokens for 10 ** 18 base units of the price; 0 when no new jobs are taken.
    """
    return self._tokens[_token] & HALF_MASK


@view
@external
def staking() -> address:
    """
    @notice Where bonds are committed and earnings are shared.
    @return Address of the staking contract.
    """
    return STAKING.address


# ------------------------------------------------------------------ internal: in
@view
@internal
def _in_stake(_token: address, _amount: uint256) -> uint256:
    """
    @dev An amount below 2 ** 96 in stake tokens at today's rate. Rounds up, in favour of the requester.
    """
    rate: uint256 = self._tokens[_token] & HALF_MASK
    if rate == 0:
        refusal._raise("payments: token not taken")
    return (_amount * rate + (RATE_UNIT - 1)) // RATE_UNIT


@internal
def _deposit_approved(_token: address, _from: address, _amount: uint256):
    """
    @dev By allowance.
    """
    owed: uint256 = self._charge(_token, _amount)
    before: uint256 = token_transfer._balance(_token)
    token_transfer._pull(_token, _from, _amount)
    self._check_deposit(_token, before, _amount, owed)


@internal
def _permit(
    _token: address, _from: address, _amount: uint256, _permit_deadline: uint256, _v: uint8, _r: bytes32, _s: bytes32
):
    """
    @dev ERC-2612. A permit that fails is ignored: somebody may have sent it already, and then the allowance is there.
         For listed tokens only.
    """
    # slither low-level-calls: a permit that fails is ignored, the allowance decides
    ignored: bool = raw_call(
        _token,
        abi_encode(
            _from,
            self,
            _amount,
            _permit_deadline,
            _v,
            _r,
            _s,
            method_id=method_id("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"),
        ),
        max_outsize=0,
        revert_on_failure=False,
    )


@internal
def _deposit_authorized(
    _token: address,
    _from: address,
    _amount: uint256,
    _valid_after: uint256,
    _valid_before: uint256,
    _nonce: bytes32,
    _v: uint8,
    _r: bytes32,
    _s: bytes32,
):
    """
    @dev By ERC-3009. Only the payee can use such an authorization, so nobody can use it up before.
    """
    owed: uint256 = self._charge(_token, _amount)
    before: uint256 = token_transfer._balance(_token)
    extcall IAuthorizedTransfer(_token).receiveWithAuthorization(
        _from, self, _amount, _valid_after, _valid_before, _nonce, _v, _r, _s
    )
    self._check_deposit(_token, before, _amount, owed)


@internal
def _charge(_token: address, _amount: uint256) -> uint256:
    """
    @dev Counts a deposit. Returns what is owed after it.
    """
    word: uint256 = self._tokens[_token]
    owed: uint256 = (word >> OWED_SHIFT) + _amount
    if owed > HALF_MASK:
        refusal._raise("payments: too much owed")
    self._tokens[_token] = owed << OWED_SHIFT | word & HALF_MASK
    return owed


@view
@internal
def _check_deposit(_token: address, _before: uint256, _amount: uint256, _owed: uint256):
    """
    @dev The amount arrived, and the balance covers what is owed.
    """
    if token_transfer._check_received(_token, _before, _amount) < _owed:
        refusal._raise("payments: token lost money")


# ------------------------------------------------------------------ internal: from one account to another
@internal
def _earn(_token: address, _operator: address, _amount: uint256):
    self.earnings[_token][_operator] += _amount


@internal
def _credit(_token: address, _account: address, _amount: uint256):
    self.credit[_token][_account] += _amount


@internal
def _add_fees(_token: address, _evaluator: address, _protocol_fee: uint256, _evaluator_fee: uint256):
    """
    @dev Neither half overflows: both are part of what is owed, which is below 2 ** 128.
    """
    if _protocol_fee | _evaluator_fee != 0:
        self._fees[_token][_evaluator] += _protocol_fee << OWED_SHIFT | _evaluator_fee


# ------------------------------------------------------------------ internal: out
@internal
def _pay(_token: address, _to: address, _amount: uint256):
    """
    @dev Pays now if the token moves, and else leaves a credit: nobody who refuses tokens stops a settlement.
    """
    self._discharge(_token, _amount)
    if token_transfer._try_push(_token, _to, _amount):
        return
    self._tokens[_token] += _amount << OWED_SHIFT
    self.credit[_token][_to] += _amount
    log IJobEscrow.PayoutDeferred(token=_token, account=_to, amount=_amount)


@internal
def _withdraw(_token: address, _account: address, _receiver: address) -> uint256:
    amount: uint256 = self.credit[_token][_account]
    if amount == 0:
        refusal._raise("payments: no credit")
    self.credit[_token][_account] = 0
    self._discharge(_token, amount)
    log IJobEscrow.Withdrawn(token=_token, account=_account, receiver=_receiver, amount=amount)
    token_transfer._push(_token, _receiver, amount)
    return amount


@internal
def _discharge(_token: address, _amount: uint256):
    """
    @dev Whatever leaves has been counted on the way in, so the subtraction cannot underflow into the bond rate.
    """
    self._tokens[_token] -= _amount << OWED_SHIFT
