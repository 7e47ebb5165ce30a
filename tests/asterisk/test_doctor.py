"""`callrouter doctor` on a real Asterisk: what is wrong is named, with what to do about it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from callrouter.lab import Install, lab
from callrouter.pbx.asterisk.dialplan import render_extensions, render_manager, version
from callrouter.settings import load
from tests.daemon.process import free_port

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(240)]

SECRET = "a-secret-of-the-test"


def configure(
    folder: Path, port: int, secret: str = SECRET, *, dial: str = "", queue: str = ""
) -> Path:
    config = folder / "config"
    config.mkdir(mode=0o700, exist_ok=True)
    (config / "all.yaml").write_text(
        f"pbx: {{office: {{driver: asterisk, port: {port}, username: router, secret: {secret}{dial}}}}}\n"
        f"http: {{listen: '127.0.0.1:{free_port()}'}}\n"
        "agents:\n  ann: {devices: {desk: PJSIP/1001}}\n  bob: {devices: {desk: PJSIP/1002}}\n"
        "  cat: {devices: {desk: PJSIP/1999}}\n"
        f"queues: {{support: {{agents: [ann, bob, cat]{queue}}}}}\n"
    )
    return config


async def doctor(config: Path, *options: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callrouter", "--config", str(config), "doctor", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"COLUMNS": "200", "XDG_RUNTIME_DIR": str(config.parent)},
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


class Running:
    """A router as a process, and what it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._said: list[str] = []
        self.pid = process.pid

    async def says(self, text: str) -> None:
        assert self._process.stderr is not None
        async with asyncio.timeout(60):
            while not self._said or text not in self._said[-1]:
                line = (await self._process.stderr.readline()).decode()
                assert line, f"it ended before it said: {text}: {self._said}"
                self._said.append(line)


@asynccontextmanager
async def running(config: Path) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callrouter", "--config", str(config), "run"),
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"XDG_RUNTIME_DIR": str(config.parent)},
    )
    try:
        yield Running(process)
    finally:
        process.terminate()
        await process.communicate()


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
    here, view = json.loads(as_json[1])
    assert (here["pbx"], here["ok"]) == (None, True)
    assert (view["pbx"], view["ok"]) == ("office", False)
    wrong = [finding["what"] for finding in view["findings"] if finding["ok"] is False]
    assert wrong == ["PJSIP/1999 (cat, desk): no such endpoint"]
    assert "✓ may do all that the router needs" in said
    assert "✓ dialplan is there, of this version" in said
    assert "✓ sounds are there" in said
    assert "✓ receives DeviceStateChange" in said
    assert "✓ receives Hangup" in said
    assert "- no extension of yours in [callrouter-fallback-user] for support" in said
    assert "- lamps (BLF) cannot be shown" in said
    assert "cannot dial the codes" not in said
    assert "another router" not in said
    assert "✓ receives UserEvent" in said
    assert "✓ PJSIP/1001 (ann, desk)" in said
    assert "- PJSIP/1002 (bob, desk): not registered now" in said
    assert "✗ PJSIP/1999 (cat, desk): no such endpoint" in said
    assert "check this phone under agents: and in pjsip.conf" in said


AGENTS_OF_ALL_KINDS = """
  eve: {devices: {desk: {dial: Local/1001@from-internal/n, state: hint:1001@from-internal}}}
  fay: {devices: {desk: {dial: Local/9999@from-internal/n, state: hint:9999@from-internal}}}
  gus: {devices: {desk: {endpoint: pjsip/1002, state: Custom:DND1002}}}
  hal: {devices: {desk: PJSIP/2004@carrier, other: PJSIP/2004@branch}}
"""


async def test_phones_are_judged_as_the_router_judges_them(
    install: Install, tmp_path: Path
) -> None:
    dialplan = render_extensions() + (
        "[from-internal]\nexten => _1XXX,1,Dial(PJSIP/${EXTEN})\n"
        "exten => 1001,hint,PJSIP/1001&Custom:DND1001\n"
    )
    manager = render_manager("router", SECRET)
    phones = ("1001", "1002")
    async with lab(install, phones=phones, dialplan=dialplan, manager=manager) as here:
        dial = ", dial_number: 'Local/{number}@from-internal/n'"
        config = configure(tmp_path, here.asterisk.ami_port, dial=dial)
        whole = config / "all.yaml"
        whole.write_text(whole.read_text().replace("queues:", f"{AGENTS_OF_ALL_KINDS[1:]}queues:"))
        await here.asterisk.cli("devstate change Custom:DND1002 BUSY")
        said = re.sub(r"\s+", " ", (await doctor(config))[1])
    assert "✓ Local/1001@from-internal/n (eve, desk): can be rung; asks for key 1" in said
    assert "✗ Local/9999@from-internal/n (fay, desk): there is no hint for 9999" in said
    assert "✗ Local/9999@from-internal/n (fay, desk): no such extension in the dialplan" in said
    assert "✓ PJSIP/1002 (gus, desk): takes no calls at present, says Custom:DND1002" in said
    assert "✓ PJSIP/2004@carrier (hal, desk): can be rung; asks for key 1" in said
    assert "✗ PJSIP/2004@branch (hal, other): there is no trunk PJSIP/branch" in said
    assert "- dial_number: [from-internal] has no way for a number such as 447700900000" in said


@pytest.mark.parametrize("readable", [True, False])
async def test_music_classes(install: Install, tmp_path: Path, readable: bool) -> None:
    manager = render_manager("router", SECRET)
    files = {
        "musiconhold.conf": "[base](!)\nmode=files\ndirectory=/tmp\n[default](base)\n[jazz](base)\n"
    }
    async with lab(
        install,
        phones=("1001",),
        dialplan=render_extensions(),
        manager=manager,
        files=files,
        modules=("func_config",) if readable else (),
    ) as here:
        config = configure(tmp_path, here.asterisk.ami_port)
        whole = config / "all.yaml"
        more = "queues: {j: {music: jazz}, f: {music: folk}, g: {music: folk}, "
        whole.write_text(whole.read_text().replace("queues: {", more))
        said = re.sub(r"\s+", " ", (await doctor(config))[1])
    if readable:
        assert "✓ music class jazz is there" in said
        assert "✗ f, g: there is no music class folk in musiconhold.conf" in said
    else:
        assert "- music classes not readable: jazz, folk" in said


@pytest.mark.parametrize("reporting", [False, True])
async def test_who_else_has_the_codes(install: Install, tmp_path: Path, reporting: bool) -> None:
    """As in FreePBX: its own *45 in a context beside ours, *46 with more than one step, and *49 nowhere else."""
    dialplan = render_extensions() + (
        "[globals]\nQUEUETOGGLE = *45\n"
        "[lab-phones](+)\ninclude => ext-queues\n"
        "[ext-queues]\nexten => *45,1,NoOp()\nexten => *46,1,Answer()\n same => n,NoOp()\n"
    )
    manager = render_manager("router", SECRET)
    if reporting:
        manager = manager.replace("write = call", "write = reporting,call")
    async with lab(install, phones=("1001",), dialplan=dialplan, manager=manager) as here:
        config = configure(tmp_path, here.asterisk.ami_port)
        said = re.sub(r"\s+", " ", (await doctor(config))[1])
        whole = config / "all.yaml"
        codes = (
            'codes: {sign_in: "*65", pause: "*66", mobile: "*67", register: "*68", ready: "*69"}\n'
        )
        whole.write_text(whole.read_text() + codes)
        moved = re.sub(r"\s+", " ", (await doctor(config))[1])
        here.asterisk.write_config(
            "lab-dialplan.conf",
            dialplan.replace(
                render_extensions(), render_extensions(load(config, environ={}).codes)
            ),
        )
        await here.asterisk.cli("dialplan reload")
        written = re.sub(r"\s+", " ", (await doctor(config))[1])
    whose = "that of [ext-queues]" if reporting else "FreePBX's own (Queue Toggle)"
    assert f"✗ *45 in [lab-phones] is {whose} as well" in said
    assert "✗ *46 in [lab-phones] is that of" in said
    assert "*49 in" not in said
    assert "[callrouter-codes] does not have the codes of codes: *65, *66, *67, *68, *69" in moved
    assert "cannot dial the codes" not in moved, "they include what there is"
    assert "does not have the codes" not in written
    assert "cannot dial the codes" not in written
    assert "✓ dialplan is there, of this version" in written
    assert "as well" not in written


async def test_a_missing_dialplan_and_a_missing_right(install: Install, tmp_path: Path) -> None:
    manager = render_manager("router", SECRET).replace("originate,", "")
    async with lab(install, phones=("1001", "1002"), manager=manager) as here:
        code, said = await doctor(configure(tmp_path, here.asterisk.ami_port))
    assert code == 1
    assert "✗ may not Originate" in said
    assert "add originate to write=" in said
    assert "✗ dialplan context missing: callrouter," in said
    assert "#include extensions_callrouter.conf" in said


async def test_without_app_queue(install: Install, tmp_path: Path) -> None:
    manager, dialplan = render_manager("router", SECRET), render_extensions()
    async with lab(install, phones=("1001",), dialplan=dialplan, manager=manager) as here:
        modules = (here.asterisk.folder / "etc/modules.conf").read_text()
        here.asterisk.write_config("modules.conf", modules.replace("load=app_queue.so\n", ""))
        await here.asterisk.restart()
        _, said = await doctor(configure(tmp_path, here.asterisk.ami_port))
    assert "- app_queue is not loaded, so no queue_log is written\n" in said
    assert "callers are served all the same" in said
    assert "✓ may do all that the router needs" in said
    assert "may not" not in said


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
    code, said = await doctor(configure(tmp_path, free_port()))
    assert code == 3
    assert "refused the connection: check that Asterisk runs" in said


async def test_places_and_trunks_that_are_not_there(install: Install, tmp_path: Path) -> None:
    dialplan = render_extensions().replace(version(render_extensions()), "0123456789ab")
    dialplan += "[callrouter-fallback-user]\nexten => support,1,Hangup()\n"
    codes = "include => callrouter-codes\n"
    manager = render_manager("router", SECRET).replace("|Hangup|", "|")
    async with lab(install, phones=("1001", "1002"), dialplan=dialplan, manager=manager) as here:
        extensions = (here.asterisk.folder / "etc/extensions.conf").read_text()
        assert codes in extensions
        here.asterisk.write_config("extensions.conf", extensions.replace(codes, ""))
        await here.asterisk.cli("dialplan reload")
        dial = ', dial_number: "PJSIP/{number}@carier"'
        rules = ', on_closed: "dialplan:closed,s,1", on_nobody: "dialplan:callrouter-again,x,1"'
        config = configure(tmp_path, here.asterisk.ami_port, dial=dial, queue=rules)
        code, said = await doctor(config)
        config = configure(tmp_path, here.asterisk.ami_port, dial=dial.replace("carier", "carrier"))
        assert "✓ dial_number: the trunk carrier is there" in (await doctor(config))[1]
    assert code == 1
    assert "✗ the dialplan is of another version of callrouter" in said
    assert "✗ support: on_closed leads to closed,s,1, which is not in the dialplan" in said
    assert "on_nobody" not in said
    assert "no extension of yours" not in said
    assert "✗ dial_number: there is no endpoint carier, so no mobile can be rung" in said
    assert "- PJSIP/1001 and 1 more cannot dial the codes (*45 and others)" in said
    assert "include => callrouter-codes in [lab-phones]" in said
    assert "✗ does not receive Hangup" in said
    assert "copy eventfilter from" in said


async def test_sounds_that_are_missing(install: Install, tmp_path: Path) -> None:
    manager = render_manager("router", SECRET)
    async with lab(install, phones=(), dialplan=render_extensions(), manager=manager) as here:
        sounds = here.asterisk.folder / "data/sounds"
        aside = [path.rename(path.with_name("zz")) for path in sounds.iterdir()]
        assert aside
        code, said = await doctor(configure(tmp_path, here.asterisk.ami_port))
    assert code == 1
    assert "✗ sounds missing: " in said
    assert re.search(r"all-circuits-busy-now, beeperr, .* and \d\d more", said)
    assert "install Asterisk's core sounds: asterisk-core-sounds-en" in said


@pytest.fixture
def short() -> Iterator[Path]:
    # Not tmp_path: its name may be too long for a Unix socket.
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        yield Path(folder)


async def test_another_router_is_seen_by_the_doctor_and_by_the_router(
    install: Install, short: Path
) -> None:
    manager = render_manager("router", SECRET)
    async with lab(
        install, phones=("1001",), dialplan=render_extensions(), manager=manager
    ) as here:
        for name in ("one", "two"):
            (short / name).mkdir()
        one = configure(short / "one", here.asterisk.ami_port)
        two = configure(short / "two", here.asterisk.ami_port)
        async with running(one) as first:
            await first.says("office is in step")
            assert "✓ the router of this configuration serves it" in (await doctor(one))[1]
            code, said = await doctor(two)
            assert code == 1
            assert f"✗ another router (process {first.pid} on its machine, running since" in said
            async with running(two) as second:
                await second.says(f"another router (process {first.pid} on its machine)")


def test_the_dialplan_says_its_version() -> None:
    text = render_extensions()
    told = f"exten => {version(text)},1,NoOp()"
    assert told in text, f"write into [callrouter-version] of extensions_callrouter.conf: {told}"


@pytest.mark.parametrize("bad", ["with space", "semi;colon", "[section]", "line\nend", ""])
def test_what_could_not_stand_in_manager_conf_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"manager\.conf"):
        render_manager("router", bad)
    with pytest.raises(ValueError, match=r"manager\.conf"):
        render_manager(bad, "secret")


async def test_a_way_in_that_takes_any_character_is_named(install: Install) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manager = render_manager("router", SECRET)
        reads = manager.replace("write = call,", "write = reporting,call,")
        assert reads != manager
        for given, expected in (
            (manager, "- [lab-in] takes an extension of any characters (such as 7~~)"),
            (reads, "- [lab-in] _X! leads to callrouter and takes any character, line ends too"),
        ):
            async with lab(
                install, phones=("1001",), dialplan=render_extensions(), manager=given
            ) as made:
                dial = ", dial_number: 'PJSIP/{number}@carrier'"
                config = configure(folder, made.asterisk.ami_port, dial=dial)
                _, said = await doctor(config)
                assert expected in said
                assert "let digits in alone" in said
                assert "- the trunk carrier is believed what number it asserts" in said
