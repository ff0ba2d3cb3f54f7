# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What the members earn
@author Proofmill
@license Apache-2.0
@dev Fees reach the members through Staking, which gives their delegators a part. Only Staking can take what is approved
     here, and it takes exactly the shares, so nothing stays approved.
"""

from ethereum.ercs import IERC20

from contracts.interfaces import IJobEscrow
from contracts.interfaces import IOracleCommittee
from contracts.modules import committee_config
from contracts.modules import membership

uses: committee_config
uses: membership


# ------------------------------------------------------------------ anyone
@external
def share_fees(_escrow: address, _token: address):
    """
    @notice Collects this committee's fees from an escrow and shares its whole balance of the token among the members
            that have a seat and were not ejected, equally.
    @dev Anyone. What does not divide stays for the next time.
    @param _escrow The job escrow that owes the fees.
    @param _token The token that they are in.
    """
    extcall IJobEscrow(_escrow).collect_fees(_token, self)

    seated: DynArray[address, 31] = []
    for operator: address in committee_config._operators:
        # A seat is cleared by an ejection and by nothing else while the configuration stands.
        if membership._seats[operator] != 0:
            seated.append(operator)
    assert len(seated) != 0, "committee: no member to pay"
    # Rounded down, in favour of the next sharing.
    # slither divide-before-multiply: on purpose, what does not divide stays
    share: uint256 = staticcall IERC20(_token).balanceOf(self) // len(seated)
    assert share != 0, "committee: nothing to share"

    amount: uint256 = share * len(seated)
    spender: address = membership.STAKING.address
    approved: bool = extcall IERC20(_token).approve(spender, amount, default_return_value=True)
    assert approved, "committee: approval refused"
    for operator: address in seated:
        # slither calls-loop: Staking is ours, and 31 members at most
        extcall membership.STAKING.distribute(operator, _token, share)
    log IOracleCommittee.FeesShared(token=_token, amount=amount)
