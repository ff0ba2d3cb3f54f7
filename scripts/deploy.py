"""``ape run deploy``: deploys the contracts and writes the manifest that every other part starts from.

    ape run deploy --network ethereum:local:foundry
    ape run deploy --network https://node.example --keystore deployer.json --password-file deployer.password \
        --admin 0x… --member-bond 200

The committee has no members yet: see `ape run configure_committee`. A run that was interrupted is finished by the same
command: the journal beside the manifest knows what was sent.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import click
from ape import accounts, networks
from ape.cli import ConnectedProviderCommand
from eth_account import Account
from eth_account.signers.local import LocalAccount

from proofmill.chain import Journal, TransactionSender, connect, load_keystore
from proofmill.chain.fees import GWEI, SenderPolicy
from proofmill.deploy import MILL, DeployParameters, deploy_suite
from proofmill.errors import ProofmillError

REPOSITORY = Path(__file__).resolve().parents[1]
DEFAULTS = DeployParameters()


@click.command(cls=ConnectedProviderCommand)
@click.option(
    "--name", default=DEFAULTS.name, show_default=True, help="Names the deployment and its intents."
)
@click.option("--keystore", type=click.Path(path_type=Path), help="The deployer's; a test account if local.")
@click.option("--password-file", type=click.Path(path_type=Path), help="Of the keystore.")
@click.option("--admin", help="Owner of the contracts; must accept. The deployer if not given.")
@click.option("--token-holder", help="Receives the whole supply. The deployer if not given.")
@click.option("--thaw-period", default=DEFAULTS.thaw_period, show_default=True, help="Seconds.")
@click.option(
    "--member-bond",
    default=DEFAULTS.member_bond // MILL,
    show_default=True,
    help="Of a committee member, in MILL.",
)
@click.option(
    "--votes-by-block", is_flag=True, help="Count votes by block number instead of by time, for ever."
)
@click.option("--maximum-report-age", default=DEFAULTS.maximum_report_age, show_default=True, help="Seconds.")
@click.option("--confirmations", type=click.IntRange(1), help="Blocks; 1 if local, else 3.")
@click.option("--fee-ceiling-gwei", default=500, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Of manifest and journal.")
def cli(
    name: str,
    keystore: Path | None,
    password_file: Path | None,
    admin: str | None,
    token_holder: str | None,
    thaw_period: int,
    member_bond: int,
    votes_by_block: bool,
    maximum_report_age: int,
    confirmations: int | None,
    fee_ceiling_gwei: int,
    folder: Path | None,
) -> None:
    """Deploys the contracts to the chosen network."""
    provider = networks.provider
    is_local = provider.network.is_local
    try:
        parameters = DeployParameters(
            name=name,
            admin=admin,
            token_holder=token_holder,
            clock_is_timestamp=not votes_by_block,
            thaw_period=thaw_period,
            maximum_report_age=maximum_report_age,
            member_bond=member_bond * MILL,
        )
        policy = SenderPolicy(
            confirmations=confirmations or (1 if is_local else 3), fee_ceiling=fee_ceiling_gwei * GWEI
        )
        with ExitStack() as stack:
            web3 = connect(str(provider.http_uri or provider.uri), provider.chain_id)
            where = folder or REPOSITORY / (".cache/deployments" if is_local else "deployments")
            # A local chain is gone after this command, so a journal that outlives it would only be in the way.
            records = Path(stack.enter_context(tempfile.TemporaryDirectory())) if is_local else where
            journal = Journal(records / f"{name}-{provider.chain_id}.journal.db")
            account = _deployer(keystore, password_file, is_local=is_local)
            sender = stack.enter_context(TransactionSender(web3, account, journal, policy=policy))
            sender.resume()
            deployment = deploy_suite(web3, sender, parameters=parameters)
            deployment.verify(web3)
            manifest = where / f"{name}-{provider.chain_id}.json"
            deployment.save(manifest)
    except ProofmillError as error:
        raise click.ClickException(f"{error}\n{error.remedy}") from error
    click.echo(f"deployed; the manifest is {manifest}")


def _deployer(keystore: Path | None, password_file: Path | None, *, is_local: bool) -> LocalAccount:
    if keystore is not None and password_file is not None:
        return load_keystore(keystore, password_file)
    if keystore is not None or not is_local:
        raise click.UsageError("give --keystore and --password-file")
    account: LocalAccount = Account.from_key(accounts.test_accounts[0].private_key)
    return account
