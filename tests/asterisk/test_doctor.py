"""`callrouter doctor` on a real Asterisk: what is wrong is named, with what to do about it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest

from callrouter.lab import Install, lab
from callrouter.pbx.asterisk.dialplan import render_extensions, render_manager

pytestmark = pytest.mark.asterisk

SECRET = "a-secret-of-the-test"


def configure(folder: Path, port: int, secret: str = SECRET) -> Path:
    config = folder / "config"
    config.mkdir(exist_ok=True)
    (config / "all.yaml").write_text(
        f"pbx: {{office: {{driver: asterisk, port: {port}, username: router, secret: {secret}}}}}\n"
        "agents:\n  ann: {devices: {desk: PJSIP/1001}}\n  bob: {devices: {desk: PJSIP/1002}}\n"
        "  cat: {devices: {desk: PJSIP/1999}}\n"
        "queues: {support: {agents: [ann, bob, cat]}}\n"
    )
    return config


async def doctor(config: Path, *options: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callrouter", "--config", str(config), "doctor", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"COLUMNS": "200"},
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_what_is_fine_and_what_is_not(install: Install, tmp_path: Path) -> None:
    manager = render_manager("router", SECRET)
    dialplan = render_extensions()
    async with lab(install, phones=("1001", "1002"), dialplan=dialplan, manager=manager) as here:
        await here["1002"].unregister()
        config = configure(tmp_path, here.asterisk.ami_port)
        code, said = await doctor(config)
        as_json = await doctor(config, "--json")
        modules = (here.asterisk.folder / "etc/modules.conf").read_text()
        here.asterisk.write_config("modules.conf", modules.replace("load=app_read.so\n", ""))
        await here.asterisk.restart()
        assert "✗ modules not loaded: app_read\n" in (await doctor(config))[1]
    assert code == 1
    assert "✓ office: logged in" in said
    assert re.search(r"✓ Asterisk (20|22)\.", said), (
        "with no more rights than the shipped account has"
    )
    assert "✓ modules are loaded" in said
    assert as_json[0] == 1
    (view,) = json.loads(as_json[1])
    assert (view["pbx"], view["ok"]) == ("office", False)
    wrong = [finding["what"] for finding in view["findings"] if finding["ok"] is False]
    assert wrong == ["PJSIP/1999 (cat, desk): no such endpoint"]
    assert "✓ may do all that the router needs" in said
    assert "✓ dialplan is there" in said
    assert "✓ hears UserEvent" in said
    assert "✓ PJSIP/1001 (ann, desk)" in said
    assert "- PJSIP/1002 (bob, desk): not registered now" in said
    assert "✗ PJSIP/1999 (cat, desk): no such endpoint" in said
    assert "check agents.yaml and pjsip.conf" in said


async def test_a_missing_dialplan_and_a_missing_right(install: Install, tmp_path: Path) -> None:
    manager = render_manager("router", SECRET).replace("originate,", "")
    async with lab(install, phones=("1001", "1002"), manager=manager) as here:
        code, said = await doctor(configure(tmp_path, here.asterisk.ami_port))
    assert code == 1
    assert "✗ may not Originate" in said
    assert "add originate to write=" in said
    assert "✗ dialplan context missing: callrouter," in said
    assert "#include extensions_callrouter.conf" in said


async def test_a_wrong_password_is_an_answer_and_silence_is_none(
    install: Install, tmp_path: Path
) -> None:
    async with lab(install, phones=("1001",), manager=render_manager("router", SECRET)) as here:
        port = here.asterisk.ami_port
        code, said = await doctor(configure(tmp_path, port, "not-the-secret"))
    assert code == 1
    assert "refused the login of user 'router'" in said
    assert "secret" in said
    assert "not-the-secret" not in said
    code, said = await doctor(configure(tmp_path, port))
    assert code == 3
    assert "refused the connection: check that Asterisk runs" in said


@pytest.mark.parametrize("bad", ["with space", "semi;colon", "[section]", "line\nend", ""])
def test_what_could_not_stand_in_manager_conf_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"manager\.conf"):
        render_manager("router", bad)
    with pytest.raises(ValueError, match=r"manager\.conf"):
        render_manager(bad, "secret")
