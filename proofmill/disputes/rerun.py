"""One sequence of a job, run again with a trace: what both sides of a dispute work from."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from proofmill.exact.commitment.descriptor import ProgramTree
from proofmill.exact.commitment.leaves import TableTree
from proofmill.exact.kernels.interface import Kernels
from proofmill.exact.program.model import Model
from proofmill.exact.program.sampling import Sampling
from proofmill.exact.trace.geometry import Geometry
from proofmill.exact.trace.tracing import Rows, Run, Trace, commit_tables, table_tree, trace, trace_run


@dataclass
class CommittedModel:
    """A model with the tree over its program; making it hashes every weight once."""

    model: Model
    program: ProgramTree
    _tables: dict[str, TableTree] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model) -> CommittedModel:
        return cls(model, ProgramTree(model.program, commit_tables(model)))

    @property
    def vocabulary(self) -> int:
        """How many tokens the program chooses among; 0 if it chooses none."""
        last = self.program.descriptors[-1]
        return last.inputs[0].shape.width if last.kind == "choose" else 0

    def table(self, number: int) -> TableTree | None:
        """The tree over the table of operator ``number``, None if its kind reads none."""
        name = self.model.program.operators[number - 1].table
        if not name:
            return None
        if name not in self._tables:
            self._tables.clear()  # one at a time: a table of weights is most of a model's memory
            self._tables[name] = table_tree(self.model, name)
        return self._tables[name]


class Rerun:
    """An honest trace of one sequence, and its rows when they are asked for."""

    def __init__(self, committed: CommittedModel, trace: Trace) -> None:
        self.committed, self.trace = committed, trace
        self._rows: dict[int, Rows] = {}

    @classmethod
    def of(
        cls,
        committed: CommittedModel,
        input: Tensor,
        sampling: Sampling | None = None,
        kernels: Kernels | None = None,
    ) -> Rerun:
        """Run ids [T] or image bytes [rows, channels]; of a generation the prompt and its tokens but the last."""
        return cls(committed, trace(committed.model, input, kernels, sampling))

    @classmethod
    def of_run(cls, committed: CommittedModel, run: Run) -> Rerun:
        """Trace a run that is already set up."""
        return cls(committed, trace_run(run))

    @property
    def program(self) -> ProgramTree:
        return self.committed.program

    @property
    def operators(self) -> int:
        """How many the program has; values are 0 to this."""
        return len(self.trace.roots) - 1

    def geometry(self, number: int) -> Geometry:
        """Of value ``number``."""
        return self.trace.run.geometry(number)

    def rows(self, number: int) -> Rows:
        """Rows of value ``number``, made again and kept while a dispute is about it."""
        if number not in self._rows:
            if len(self._rows) > 4:  # an operator, its inputs and the one asked about before
                self._rows.pop(next(iter(self._rows)))
            commitment = self.trace.commitments[number]
            self._rows[number] = Rows(self.trace.run, number, commitment)
        return self._rows[number]
