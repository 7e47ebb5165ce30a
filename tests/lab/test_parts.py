from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from callrouter.lab import Phone
from callrouter.lab.call_record import Record
from callrouter.lab.install import NoAsteriskError, find_asterisk
from callrouter.lab.message import parse
from callrouter.lab.ports import take_slot
from callrouter.lab.rtp import Media, Pace
from callrouter.lab.sdp import Sdp, mirror, read_sdp, write_sdp
from callrouter.lab.sources import find_source


def test_sdp_is_read_as_written() -> None:
    assert read_sdp(write_sdp(4000, direction="sendonly")) == Sdp(
        ("127.0.0.1", 4000), "sendonly", 101
    )
    assert (mirror("sendonly"), mirror("inactive")) == ("recvonly", "inactive")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe=",
        b"v=0",
        write_sdp(4000).replace(b"127.0.0.1", b"192.0.2.1"),
        write_sdp(4000).replace(b"RTP/AVP 0", b"RTP/AVP 8"),
        write_sdp(4000).replace(b"m=audio", b"m=video"),
    ],
)
def test_audio_that_cannot_be_spoken_to(body: bytes) -> None:
    assert read_sdp(body) is None


def test_a_port_out_of_range_is_no_port() -> None:
    sdp = read_sdp(write_sdp(4000).replace(b"audio 4000", b"audio 70000"))
    assert sdp is not None
    assert sdp.address[1] == 0


@pytest.mark.parametrize(
    ("reason", "elsewhere"),
    [
        ('SIP;cause=200;text="Call completed elsewhere"', True),
        ("SIP ;text=x ;cause=200", True),
        ("Q.850;cause=26", True),
        ("Q.850;cause=16", False),
        ("SIP;cause=487", False),
        ("nonsense", False),
    ],
)
def test_answered_elsewhere(reason: str, elsewhere: bool) -> None:
    record = Record("in", "x", lambda _: None)
    record.reasons = (reason,)
    assert record.answered_elsewhere is elsewhere


async def test_two_streams_hear_one_another_and_each_others_digits() -> None:
    heard: list[str] = []
    digits: list[str] = []
    ann = Media("ann", Pace(), lambda *_: None, lambda _: None)
    bob = Media("bob", Pace(), lambda name, _: heard.append(name), digits.append)
    ann.aim(Sdp(("127.0.0.1", bob.port), dtmf=101))
    bob.aim(Sdp(("127.0.0.1", ann.port), dtmf=101))
    await ann.press("#")
    async with asyncio.timeout(10):
        while not (heard and digits):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    ann.close()
    bob.close()
    assert set(heard) == {"ann"}
    assert digits == ["#"]


@pytest.mark.parametrize("name", ["", "a b", "<x>", "x" * 41, "é"])
async def test_names_that_could_not_be_heard(name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        Media(name, Pace(), lambda *_: None, lambda _: None)


async def test_a_phone_survives_noise_and_answers_options() -> None:
    phone = Phone("1001", server=("127.0.0.1", 9))
    await phone.start()
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        other.bind(("127.0.0.1", 0))
        for noise in (
            b"",
            b"\r\n\r\n",
            b"\x00" * 100,
            b"INVITE\r\n\r\n",
            b"SIP/2.0 200 OK\r\n\r\n",
        ):
            other.sendto(noise, ("127.0.0.1", phone.port))
        for method in ("BYE", "CANCEL", "ACK", "FOO", "OPTIONS"):
            text = (
                f"{method} sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z{method}\r\n"
                f"From: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: {method}\r\n"
                f"CSeq: 1 {method}\r\n\r\n"
            )
            other.sendto(text.encode(), ("127.0.0.1", phone.port))
        codes = []
        for _ in range(4):
            answer = parse(await asyncio.wait_for(loop.sock_recv(other, 4096), 2))
            codes.append((answer.cseq_method, getattr(answer, "code", 0)))
    await phone.close()
    assert codes == [("BYE", 405), ("CANCEL", 481), ("FOO", 405), ("OPTIONS", 200)]


def test_two_slots_have_nothing_in_common() -> None:
    one, two = take_slot(), take_slot()
    try:
        assert one.folder != two.folder
        assert one.rtp_last < two.sip or two.rtp_last < one.sip
    finally:
        one.release()
        two.release()


def test_the_mirror_comes_from_the_machines_own_sources(tmp_path: Path) -> None:
    assert find_source(tmp_path) is None
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "a.list").write_text(
        "# deb http://no.example/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://tool.example/apt bookworm main\n"
        "deb [signed-by=/key.gpg] http://mirror.example/debian/ bookworm main contrib # x\n"
    )
    found = find_source(tmp_path)
    assert found is not None
    assert (found.uri, found.keyring) == ("http://mirror.example/debian/", "/key.gpg")
    (parts / "b.sources").write_text(
        "Types: deb\nURIs: http://s.example/debian-security\nSuites: x-security\n"
        "Components: main\n\n"
        "Types: deb\nURIs: http://other.example/debian\nSuites: bookworm bookworm-updates\n"
        "Components: main\nSigned-By:\n -----BEGIN PGP-----\n"
    )
    found = find_source(tmp_path)
    assert found is not None
    assert found.uri == "http://other.example/debian"
    assert "Suites: sid\n" in found.stanza("sid")


async def test_a_given_asterisk_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLROUTER_ASTERISK", str(tmp_path))
    with pytest.raises(NoAsteriskError, match="no Debian tree"):
        await find_asterisk()
    monkeypatch.setenv("CALLROUTER_ASTERISK", str(tmp_path / "nothing"))
    with pytest.raises(NoAsteriskError, match="does not exist"):
        await find_asterisk()


@pytest.mark.parametrize(
    ("uri", "good"),
    [
        ("mirror+file:///etc/apt/mirrors/debian.list", True),
        ("http://snap.example/archive/debian/20250520T000000Z", True),
        ("http://m.example/debian-ports", False),
        ("http://m.example/ubuntu", False),
    ],
)
def test_which_archive_is_debians(tmp_path: Path, uri: str, good: bool) -> None:
    (tmp_path / "sources.list").write_text(f"deb {uri} bookworm main\n")
    found = find_source(tmp_path)
    assert (found is not None and found.uri == uri) is good
