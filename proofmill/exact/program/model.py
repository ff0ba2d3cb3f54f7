"""A model in memory: a program, the integers in its tables, and what its users must know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor

from proofmill.exact.errors import InvalidProgram
from proofmill.exact.program.graph import Program
from proofmill.exact.program.kinds import LAYOUT_PARTS, TableShape

Profile = Literal["E16", "E16x"]
Task = Literal["embedding", "generation", "classification"]

WEIGHT_TYPE: Final[Mapping[str, torch.dtype]] = {"E16": torch.int8, "E16x": torch.int16}


@dataclass(frozen=True)
class Description:
    """What a model's users must know beside its program; part of its identity.

    ``vocabulary_size`` and ``maximum_tokens`` are 0 for a model of images. ``output_fraction_bits`` reads the answer: an
    integer n stands for n * 2^-output_fraction_bits. ``tokenizer`` is the sha256 of the tokenizer's file, or empty.
    ``labels`` names the classes of a classifier, or is empty.
    """

    name: str
    profile: Profile
    task: Task
    output_fraction_bits: int
    vocabulary_size: int = 0
    maximum_tokens: int = 0
    tokenizer: str = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    """A program with its tensors, keyed ``<table>.<part>``; checked when it is made.

    Raises:
        InvalidProgram: a tensor is missing, is not used, or has another type or shape than its table.
    """

    program: Program
    tensors: Mapping[str, Tensor]
    description: Description

    def __post_init__(self) -> None:
        expected = {
            f"{name}.{part}": layout
            for name, table in self.program.tables.items()
            for part, layout in part_layouts(table, self.description.profile).items()
        }
        differing = set(expected) ^ set(self.tensors)
        if differing:
            raise InvalidProgram(
                f"tensors do not match the tables: {', '.join(sorted(differing)[:5])}",
                remedy="Import the model again with this version.",
            )
        for name, (types, shape) in expected.items():
            tensor = self.tensors[name]
            if tensor.dtype not in types or tuple(tensor.shape) != shape:
                raise InvalidProgram(
                    f"tensor {name} is {tensor.dtype} {tuple(tensor.shape)}, expected {types[0]} {shape}",
                    remedy="Import the model again with this version.",
                )


def part_layouts(
    table: TableShape, profile: Profile
) -> dict[str, tuple[tuple[torch.dtype, ...], tuple[int, ...]]]:
    """Types allowed and shape of each part of a table."""
    matrix = (table.rows, table.columns)
    layouts: dict[str, dict[str, tuple[tuple[torch.dtype, ...], tuple[int, ...]]]] = {
        "matrix": {"rows": ((torch.int32, torch.int16), matrix)},
        "pairs": dict.fromkeys(LAYOUT_PARTS["pairs"], ((torch.int32,), (table.rows,))),
        "linear": {
            "weight": ((WEIGHT_TYPE[profile],), matrix),
            "multiplier": ((torch.int32,), (table.rows,)),
            "bias": ((torch.int32,), (table.rows,)),
        },
        "rotation": dict.fromkeys(LAYOUT_PARTS["rotation"], ((torch.int32,), matrix)),
    }
    return layouts[table.layout]
