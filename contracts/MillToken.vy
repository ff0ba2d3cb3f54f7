# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Proofmill's token
@author Proofmill
@license Apache-2.0
@notice ERC-20 with permits (ERC-2612), transfers by authorization (ERC-3009), votes (ERC-5805, ERC-6372) and burning.
        Operators stake it, requesters pay with it, its holders decide.
@dev The whole supply is minted in the constructor and nobody is in charge: no owner, no minter, no pause, no proxy. The
     token calls no other contract, so that nothing can re-enter it and it needs no lock.
"""

from ethereum.ercs import IERC20
from ethereum.ercs import IERC20Detailed

from contracts.interfaces import IMillToken
from contracts.modules import eip712_domain
from contracts.modules import fungible_token
from contracts.modules import token_authorization
from contracts.modules import token_permit
from contracts.modules import token_signatures
from contracts.modules import vote_checkpoints
from contracts.modules import vote_delegation

implements: IERC20
implements: IERC20Detailed
implements: IMillToken

initializes: eip712_domain
initializes: vote_checkpoints
initializes: fungible_token[vote_checkpoints := vote_checkpoints]
initializes: token_signatures[eip712_domain := eip712_domain]
initializes: token_permit[fungible_token := fungible_token, token_signatures := token_signatures]
initializes: token_authorization[fungible_token := fungible_token, token_signatures := token_signatures]
initializes: vote_delegation[
    fungible_token := fungible_token,
    token_signatures := token_signatures,
    vote_checkpoints := vote_checkpoints,
]

exports: (
    # ERC-20
    fungible_token.transfer,
    fungible_token.transferFrom,
    fungible_token.approve,
    fungible_token.name,
    fungible_token.symbol,
    fungible_token.decimals,
    fungible_token.totalSupply,
    fungible_token.balanceOf,
    fungible_token.allowance,
    # burning
    fungible_token.burn,
    fungible_token.burn_from,
    # ERC-2612, ERC-5267
    token_permit.permit,
    token_signatures.nonces,
    token_signatures.DOMAIN_SEPARATOR,
    eip712_domain.eip712Domain,
    # ERC-3009
    token_authorization.transferWithAuthorization,
    token_authorization.receiveWithAuthorization,
    token_authorization.cancelAuthorization,
    token_authorization.authorizationState,
    # ERC-5805
    vote_delegation.delegate,
    vote_delegation.delegateBySig,
    vote_delegation.delegates,
    vote_checkpoints.getVotes,
    vote_checkpoints.getPastVotes,
    vote_checkpoints.getPastTotalSupply,
    vote_checkpoints.numCheckpoints,
    vote_checkpoints.checkpoints,
    # ERC-6372
    vote_checkpoints.clock,
    vote_checkpoints.CLOCK_MODE,
)


NAME: constant(String[25]) = "Proofmill"
SYMBOL: constant(String[5]) = "MILL"
DOMAIN_NAME: constant(String[50]) = "Proofmill"
DOMAIN_VERSION: constant(String[20]) = "1"
MAX_SUPPLY: constant(uint256) = 2**96 - 1  # two amounts fit one word, the product of two is below 2 ** 192


@deploy
def __init__(_holder: address, _supply: uint256, _clock_is_timestamp: bool):
    """
    @notice Mints the whole supply to one holder and leaves nobody in charge.
    @param _holder Receives every token there will ever be.
    @param _supply Amount in base units of 10 ** -18.
    @param _clock_is_timestamp Whether votes are counted by unix time, as fits chains whose block numbers are not their
           own, or by block number. For ever, and for the governor too, which asks the token.
    """
    assert _holder != empty(address), "mill: no holder"
    assert _holder != self, "mill: holder is the token"
    assert _supply > 0, "mill: no supply"
    assert _supply <= MAX_SUPPLY, "mill: supply too large"

    eip712_domain.__init__(DOMAIN_NAME, DOMAIN_VERSION)
    vote_checkpoints.__init__(_clock_is_timestamp)
    fungible_token.__init__(NAME, SYMBOL)
    fungible_token._mint(_holder, _supply)
