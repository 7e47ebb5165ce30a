"""What root writes for Asterisk belongs to whom Asterisk's folder belongs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_belong_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "all.yaml").write_text(
        "pbx: {office: {driver: asterisk, username: u, secret: a-long-secret}}\n"
    )
    folder = tmp_path / "asterisk"
    folder.mkdir()
    os.chown(folder, 1234, 4321)
    command = [sys.executable, "-m", "callrouter", "--config", str(config)]
    done = subprocess.run([*command, "dialplan", "--output", str(folder)], check=False)
    assert done.returncode == 0
    for name in ("extensions_callrouter.conf", "manager_callrouter.conf"):
        status = (folder / name).stat()
        assert (status.st_uid, status.st_gid) == (1234, 4321)
