# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Balances, allowances and burning
@author Proofmill
@license Apache-2.0
@dev ERC-20. A balance and the account's delegate share one word, so that a transfer learns from the words it must touch
     anyway whether votes move with it:

         160 bit delegate | 96 bit balance

     Calls nobody, hence no lock.
"""

from ethereum.ercs import IERC20

from contracts.modules import vote_checkpoints

uses: vote_checkpoints


DECIMALS: constant(uint8) = 18
DELEGATE_SHIFT: constant(uint256) = 96
BALANCE_MASK: constant(uint256) = 2**96 - 1
UNLIMITED: constant(uint256) = max_value(uint256)  # an allowance that is not used up


NAME: immutable(String[25])
SYMBOL: immutable(String[5])


allowance: public(HashMap[address, HashMap[address, uint256]])
_accounts: HashMap[address, uint256]


@deploy
def __init__(_name: String[25], _symbol: String[5]):
    NAME = _name
    SYMBOL = _symbol


# ------------------------------------------------------------------ holder or spender
@external
def transfer(_to: address, _amount: uint256) -> bool:
    """
    @notice Moves the caller's tokens, and their votes with them.
    @dev Not to the zero address and not to the token itself, where nobody could move them on.
    @param _to Receives them.
    @param _amount In base units.
    @return True.
    """
    self._transfer(msg.sender, _to, _amount)
    return True


@external
def transferFrom(_owner: address, _to: address, _amount: uint256) -> bool:
    """
    @notice Moves tokens of an owner who allowed the caller to.
    @dev An allowance of 2 ** 256 - 1 is not used up.
    @param _owner Whose tokens.
    @param _to Receives them.
    @param _amount In base units.
    @return True.
    """
    self._spend_allowance(_owner, _amount)
    self._transfer(_owner, _to, _amount)
    return True


@external
def approve(_spender: address, _amount: uint256) -> bool:
    """
    @notice Lets a spender take tokens of the caller, in place of what it was allowed before.
    @param _spender Who may take them.
    @param _amount In base units; 2 ** 256 - 1 without limit.
    @return True.
    """
    self._approve(msg.sender, _spender, _amount)
    return True


@external
def burn(_amount: uint256):
    """
    @notice Destroys tokens of the caller.
    @param _amount In base units.
    """
    self._burn(msg.sender, _amount)


@external
def burn_from(_owner: address, _amount: uint256):
    """
    @notice Destroys tokens of an owner who allowed the caller to take them.
    @param _owner Whose tokens.
    @param _amount In base units.
    """
    self._spend_allowance(_owner, _amount)
    self._burn(_owner, _amount)


# ------------------------------------------------------------------ views
@view
@external
def name() -> String[25]:
    """
    @notice The token's name.
    @return For people to read.
    """
    return NAME


@view
@external
def symbol() -> String[5]:
    """
    @notice The token's symbol.
    @return For people to read.
    """
    return SYMBOL


@view
@external
def decimals() -> uint8:
    """
    @notice How many decimals an interface shows.
    @return One token is 10 to this power base units.
    """
    return DECIMALS


@view
@external
def totalSupply() -> uint256:
    """
    @notice All tokens there are.
    @return In base units; burning lowers it, nothing raises it.
    """
    return vote_checkpoints._supply()


@view
@external
def balanceOf(_owner: address) -> uint256:
    """
    @notice The tokens of an account.
    @param _owner Any account.
    @return In base units.
    """
    return self._accounts[_owner] & BALANCE_MASK


# ------------------------------------------------------------------ internal
@internal
def _mint(_to: address, _amount: uint256):
    """
    @dev For constructors: the amount must be below 2 ** 96 and this the only call.
    """
    self._accounts[_to] = _amount
    vote_checkpoints._start_supply(_amount)
    log IERC20.Transfer(sender=empty(address), receiver=_to, value=_amount)


@internal
def _transfer(_from: address, _to: address, _amount: uint256):
    assert _to != empty(address), "erc20: no receiver"
    assert _to != self, "erc20: receiver is the token"
    sender: uint256 = self._take(_from, _amount)
    # Read after the sender's word was written: they may be the same. No carry into the delegate: no balance exceeds the
    # supply, which is below 2 ** 96.
    receiver: uint256 = self._accounts[_to]
    self._accounts[_to] = unsafe_add(receiver, _amount)
    log IERC20.Transfer(sender=_from, receiver=_to, value=_amount)
    if sender >> DELEGATE_SHIFT != receiver >> DELEGATE_SHIFT:
        vote_checkpoints._move_votes(self._delegate_in(sender), self._delegate_in(receiver), _amount)


@internal
def _burn(_owner: address, _amount: uint256):
    word: uint256 = self._take(_owner, _amount)
    log IERC20.Transfer(sender=_owner, receiver=empty(address), value=_amount)
    if _amount == 0:
        return
    vote_checkpoints._lower_supply(_amount)
    vote_checkpoints._move_votes(self._delegate_in(word), empty(address), _amount)


@internal
def _take(_from: address, _amount: uint256) -> uint256:
    """
    @dev Returns the account's word as it was.
    """
    word: uint256 = self._accounts[_from]
    assert word & BALANCE_MASK >= _amount, "erc20: insufficient balance"
    self._accounts[_from] = unsafe_sub(word, _amount)  # no borrow from the delegate: checked above
    return word


@internal
def _spend_allowance(_owner: address, _amount: uint256):
    allowed: uint256 = self.allowance[_owner][msg.sender]
    if allowed == UNLIMITED:
        return
    assert allowed >= _amount, "erc20: insufficient allowance"
    self.allowance[_owner][msg.sender] = unsafe_sub(allowed, _amount)


@internal
def _approve(_owner: address, _spender: address, _amount: uint256):
    assert _spender != empty(address), "erc20: no spender"
    self.allowance[_owner][_spender] = _amount
    log IERC20.Approval(owner=_owner, spender=_spender, value=_amount)


@internal
def _set_delegate(_account: address, _delegatee: address) -> (address, uint256):
    """
    @dev Returns the delegate before and the balance, which is what the new one votes with.
    """
    word: uint256 = self._accounts[_account]
    balance: uint256 = word & BALANCE_MASK
    self._accounts[_account] = convert(_delegatee, uint256) << DELEGATE_SHIFT | balance
    return (self._delegate_in(word), balance)


@view
@internal
def _delegate_of(_account: address) -> address:
    return self._delegate_in(self._accounts[_account])


@pure
@internal
def _delegate_in(_word: uint256) -> address:
    return convert(_word >> DELEGATE_SHIFT, address)
