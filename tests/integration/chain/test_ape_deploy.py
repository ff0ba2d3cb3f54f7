"""`ape run deploy` as an operator types it, on the chain that ape starts for it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from proofmill.chain import Deployment

REPOSITORY = Path(__file__).resolve().parents[3]


def ape(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run ape with the environment that the Makefile gives it."""
    path = [str(Path(sys.executable).parent), str(REPOSITORY / "node_modules" / ".bin"), os.environ["PATH"]]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join(path),
        "APE_DATA_FOLDER": os.environ.get("APE_DATA_FOLDER", str(REPOSITORY / ".cache" / "ape")),
    }
    executable = shutil.which("ape", path=environment["PATH"])
    assert executable is not None
    return subprocess.run(
        [executable, *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def deploy(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return ape("run", "deploy", "--network", "ethereum:local:foundry", "--folder", str(folder), *options)


def test_ape_run_deploy__local_network__writes_a_manifest(tmp_path: Path) -> None:
    run = deploy(tmp_path, "--member-bond", "50")
    assert run.returncode == 0, run.stdout + run.stderr
    [manifest] = tmp_path.glob("*.json")
    deployment = Deployment.load(manifest)
    assert deployment.chain_id == 31337
    assert all(code.startswith("0x") for code in deployment.code_hashes.values())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--thaw-period", "1"], "thaw_period"),
        (["--member-bond", "0"], "member_bond"),
    ],
)
def test_ape_run_deploy__parameter_out_of_bounds__refused_before_anything_is_sent(
    tmp_path: Path, options: list[str], words: str
) -> None:
    run = deploy(tmp_path, *options)
    assert run.returncode != 0
    assert words in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    assert list(tmp_path.glob("*.json")) == []


def test_ape_run_configure_committee__no_such_manifest__says_so(tmp_path: Path) -> None:
    options = [
        "--manifest",
        str(tmp_path / "m.json"),
        "--keystore",
        "k",
        "--password-file",
        "p",
        "--member",
        "0x12",
    ]
    run = ape("run", "configure_committee", "--network", "ethereum:local:foundry", *options)
    assert run.returncode != 0
    assert "there is no deployment manifest" in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
