"""Hypothesis strategies of the values that cross the seam, each within what the contracts can hold."""

from __future__ import annotations

from hypothesis import strategies as st
from web3 import Web3

from proofmill.chain import Answer, JobTerms, Measurement, OpenedVerdict, Outcome, Rates, ReportHead, Schedule

words = st.binary(min_size=32, max_size=32)
addresses = st.binary(min_size=20, max_size=20).map(Web3.to_checksum_address)
numbers = st.integers(0, 2**256 - 1)
amounts = st.integers(0, 2**96 - 1)
schedules = st.builds(Schedule, *[st.integers(0, 2**width - 1) for width in Schedule.WIDTHS])
rates = st.builds(Rates, *[st.integers(0, 2**width - 1) for width in Rates.WIDTHS])
all_terms = st.builds(JobTerms, *[addresses] * 6, words, *[amounts] * 3, schedules, rates)
answers = st.builds(Answer, addresses, st.integers(0, 2**40 - 1), words)
opened_verdicts = st.builds(OpenedVerdict, numbers, st.sampled_from(Outcome), all_terms, answers)
heads = st.builds(ReportHead, words, st.integers(0, 2**64 - 1), numbers, words, addresses)
measurements = st.builds(Measurement, words, addresses, *[numbers] * 4, words, numbers, numbers)


@st.composite
def priced_terms(draw: st.DrawFn) -> JobTerms:
    """Terms as the escrow makes them: a floor that is not above the ceiling, a ceiling above zero."""
    terms = draw(all_terms)
    ceiling = draw(st.integers(1, 2**96 - 1))
    values = {name: getattr(terms, name) for name in JobTerms.__dataclass_fields__}
    return JobTerms(**{**values, "price_floor": draw(st.integers(0, ceiling)), "price_ceiling": ceiling})
