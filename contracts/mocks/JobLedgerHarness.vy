# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The smallest contract around the packed word of a job
@license Apache-2.0
@dev Tests only.
"""

from contracts.modules import job_ledger

initializes: job_ledger

exports: job_ledger.__interface__


@external
def store(_job_id: uint256, _state: uint256, _deadline: uint256, _provider: address):
    job_ledger._store(_job_id, _state, _deadline, _provider)


@view
@external
def packed(_job_id: uint256) -> uint256:
    return job_ledger._packed[_job_id]
