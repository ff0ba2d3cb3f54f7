# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Proofmill's token
@author Proofmill
@license Apache-2.0
@notice ERC-20 with ERC-2612 permits and burning. Operators stake it, requesters pay with it.
@dev The whole supply is minted in the constructor. snekmate's minting and ownership functions are not exported and
     the two roles that its constructors give to the deployer are taken back, so that no key has power over balances.
"""

from snekmate.auth import ownable
from snekmate.tokens import erc20

from contracts.interfaces import IMillToken

implements: IMillToken

initializes: ownable
initializes: erc20[ownable := ownable]

exports: (
    # ERC-20
    erc20.transfer,
    erc20.transferFrom,
    erc20.approve,
    erc20.name,
    erc20.symbol,
    erc20.decimals,
    erc20.totalSupply,
    erc20.balanceOf,
    erc20.allowance,
    # burning
    erc20.burn,
    erc20.burn_from,
    # ERC-2612, ERC-5267
    erc20.permit,
    erc20.nonces,
    erc20.DOMAIN_SEPARATOR,
    erc20.eip712Domain,
)


NAME: constant(String[25]) = "Proofmill"
SYMBOL: constant(String[5]) = "MILL"
DECIMALS: constant(uint8) = 18
DOMAIN_NAME: constant(String[50]) = "Proofmill"
DOMAIN_VERSION: constant(String[20]) = "1"
MAX_SUPPLY: constant(uint256) = 2**128 - 1  # lets every product of two amounts fit 256 bits


@deploy
def __init__(_holder: address, _supply: uint256):
    """
    @notice Mints the whole supply to one holder and leaves nobody in charge.
    @param _holder Receives every token there will ever be.
    @param _supply Amount in base units of 10 ** -18.
    """
    assert _supply > 0, "mill: no supply"
    assert _supply <= MAX_SUPPLY, "mill: supply too large"

    ownable.__init__()
    erc20.__init__(NAME, SYMBOL, DECIMALS, DOMAIN_NAME, DOMAIN_VERSION)
    erc20._mint(_holder, _supply)

    erc20.is_minter[msg.sender] = False
    log erc20.RoleMinterChanged(minter=msg.sender, status=False)
    ownable._transfer_ownership(empty(address))
