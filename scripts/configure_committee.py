"""``ape run configure_committee``: names the members of the committee, each of which has joined.

    ape run configure_committee --network https://node.example --manifest deployments/proofmill-1.json \
        --keystore owner.json --password-file owner.password \
        --member 0x… --member 0x… --member 0x… --member 0x… --faults-tolerated 1

A member stakes and runs `proofmill committee join` first. It does nothing where the committee is so already. A run
that was interrupted is finished by the same command.
"""

from __future__ import annotations

from pathlib import Path

import click
from ape import networks
from ape.cli import ConnectedProviderCommand

from proofmill.chain import Deployment, Journal, TransactionSender, connect, load_keystore
from proofmill.chain.fees import GWEI, SenderPolicy
from proofmill.deploy import configure_committee
from proofmill.errors import ProofmillError


@click.command(cls=ConnectedProviderCommand)
@click.option(
    "--manifest", type=click.Path(path_type=Path), required=True, help="That `ape run deploy` wrote."
)
@click.option("--keystore", type=click.Path(path_type=Path), required=True, help="Of the committee's owner.")
@click.option("--password-file", type=click.Path(path_type=Path), required=True, help="Of the keystore.")
@click.option(
    "--member", "members", multiple=True, required=True, help="A member's operator; repeat in order."
)
@click.option("--faults-tolerated", default=1, show_default=True, help="f; there are 3f + 1 members.")
@click.option("--confirmations", type=click.IntRange(1), default=3, show_default=True)
@click.option("--fee-ceiling-gwei", default=500, show_default=True)
def cli(
    manifest: Path,
    keystore: Path,
    password_file: Path,
    members: tuple[str, ...],
    faults_tolerated: int,
    confirmations: int,
    fee_ceiling_gwei: int,
) -> None:
    """Names the committee's members on the chosen network."""
    provider = networks.provider
    try:
        web3 = connect(str(provider.http_uri or provider.uri), provider.chain_id)
        deployment = Deployment.load(manifest, web3)
        journal = Journal(manifest.with_suffix(".journal.db"))
        policy = SenderPolicy(confirmations=confirmations, fee_ceiling=fee_ceiling_gwei * GWEI)
        account = load_keystore(keystore, password_file)
        with TransactionSender(web3, account, journal, policy=policy) as sender:
            sender.resume()
            is_changed = configure_committee(deployment.connect(web3), sender, members, faults_tolerated)
    except ProofmillError as error:
        raise click.ClickException(f"{error}\n{error.remedy}") from error
    click.echo(
        "the committee is configured" if is_changed else "the committee is so already; nothing was sent"
    )
