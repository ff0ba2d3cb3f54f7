"""``proofmill model``: import published models, look at them, check them, time them, register them."""

from __future__ import annotations

import click

from proofmill.cli.model.bench import bench
from proofmill.cli.model.importing import import_model
from proofmill.cli.model.registering import register
from proofmill.cli.model.show import list_models, show
from proofmill.cli.model.verify import verify


@click.group()
def model() -> None:
    """Models as integer programs."""


for command in (list_models, import_model, show, verify, bench, register):
    model.add_command(command)
