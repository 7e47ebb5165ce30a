"""Whatever comes in, however it is cut; whatever is asked to be sent: it arrives as it is."""

import asyncio
import contextlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callrouter.pbx.asterisk.ami import AmiBadValue, AmiGarbage
from callrouter.pbx.asterisk.ami.messages import parse
from callrouter.pbx.asterisk.ami.wire import MessageSplitter, guard
from callrouter.pbx.asterisk.sanitize import clean_name, clean_number, variable
from tests.ami.fake import message, talking

GREETING = b"Asterisk Call Manager/9.0.0\r\n"
STREAM = GREETING + b"".join(
    [
        message("Response: Success", "ActionID: 1", "Message: Authentication accepted"),
        message("Event: FullyBooted", "Status: Fully Booted"),
        message("Event: Newchannel", "CallerIDName: Jiří ☎", "ChanVariable: A=1", "ChanVariable: "),
        b"Event: Odd\r\nKey:value\r\nEmpty:\r\nBad: \xff\xfe\r\nLone: a\rb\nc\r\n\r\n",
        message("Event: Hangup", "CallerIDName: Bob\u2028Exten: 999\x0bX: y\x85Z: z"),
        b"\r\n",
        message("Response: Success", "ActionID: 2", "Output: one", "Output: ", "Output: two"),
    ]
)


def read(chunks: list[bytes]) -> list[list[tuple[str, str]]]:
    splitter = MessageSplitter()
    return [parse(raw.lstrip(b"\r\n")).items() for chunk in chunks for raw in splitter.feed(chunk)]


@given(st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_any_splitting_gives_the_same_messages(places: list[int]) -> None:
    cuts = [0, *sorted(places), len(STREAM)]
    chunks = [STREAM[a:b] for a, b in pairwise(cuts)]
    whole = read([STREAM])
    assert read(chunks) == whole
    assert len(whole) == 6
    assert [key for key, _ in whole[4]] == ["Event", "CallerIDName"]
    assert whole[2][1] == ("CallerIDName", "Jiří ☎")


def test_byte_by_byte_gives_the_same_messages() -> None:
    assert read([STREAM[i : i + 1] for i in range(len(STREAM))]) == read([STREAM])


@given(st.binary(max_size=300))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    parse(data)
    with contextlib.suppress(AmiGarbage):
        MessageSplitter().feed(data)


lines = st.lists(
    st.sampled_from(
        [
            b"Event",
            b"Key",
            b"Key ",
            b": ",
            b":",
            b" ",
            b"a",
            b"\xc5\x99",
            b"\xff",
            b"\n",
            b"\r",
            b"\r\n",
        ]
    ),
    max_size=40,
)


@given(lines)
def test_looking_up_is_as_taking_apart(parts: list[bytes]) -> None:
    found = parse(b"".join(parts))
    items = found.items()
    for key in ("Event", "Key", "Key ", "a", "", " ", "Event:", "ř"):
        values = [value for name, value in items if name == key]
        assert found.all(key) == values
        assert found.get(key, "none") == (values[0] if values else "none")
        assert (key in found) is bool(values)
    assert list(found) == list(dict.fromkeys(key for key, _ in items))
    assert len(found) == len(list(found))
    assert found.name == (items[0][1] if items and items[0][0] == "Event" else "")


hostile = st.text(
    st.sampled_from('\r\n\0\t\x0b\x0c\x1c\x85\u2028\u2029\u202e\ud800: aAř"\\<>,=;'), max_size=30
)


@given(st.lists(st.text(max_size=60) | hostile, min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_any_value_is_refused_or_arrives_as_one_header(values: list[str]) -> None:
    async def exchange() -> None:
        async with talking() as (fake, client):
            for value in values:
                before = len(fake.actions)
                try:
                    await client.session.request(
                        {"Action": "Setvar", "Value": value, "ActionID": "x"}
                    )
                except AmiBadValue:
                    assert len(fake.actions) == before
                    continue
                [action] = fake.actions[before:]
                assert action.headers == [
                    ("Action", "Setvar"),
                    ("Value", value),
                    ("ActionID", "x"),
                ]

    asyncio.run(exchange())


@given(st.text(max_size=40) | hostile)
def test_any_key_is_refused_or_plain(key: str) -> None:
    try:
        guard({"Action": "X", key: "v"})
    except AmiBadValue:
        return
    assert key.replace("-", "").replace("_", "").isalnum()
    assert key.isascii()


@given(st.text(max_size=300) | hostile, st.integers(0, 100))
def test_a_clean_name_is_always_safe(raw: str, limit: int) -> None:
    name = clean_name(raw, limit)
    assert len(name) <= limit
    assert len(name.encode()) <= 200
    assert name.isprintable()
    assert not set(name) & set('"\\<>\r\n\0\u2028\u2029\x85')
    assert name == " ".join(name.split())
    assert clean_name(name, limit) == name
    guard({"Action": "Originate", "CallerID": f'"{name}" <1>'})


@given(st.text(max_size=100) | hostile)
def test_a_clean_number_is_always_safe(raw: str) -> None:
    number = clean_number(raw)
    assert len(number) <= 64
    assert all(c.isascii() and (c.isalnum() or c in "+*#._-") for c in number)
    assert clean_number(number) in {number, ""}


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("+420 777 123 456", "+420777123456"),
        ("(0)20/7946-0018", "0207946-0018"),
        ("sip:alice@10.0.0.1", "alice"),
        ("<sip:100;phone-context=x@h>", "100"),
        ("Anonymous", ""),
        ("<unknown>", ""),
        ("", ""),
        ("*21#", "*21#"),
    ],
)
def test_numbers(raw: str, number: str) -> None:
    assert clean_number(raw) == number


def test_names() -> None:
    assert clean_name('Bob\r\nApplication: System "x" <1>') == "Bob Application: System x 1"
    assert clean_name("Bob\u2028Exten:\u202e 999") == "Bob Exten: 999"
    assert clean_name("Jiří  Novák\\") == "Jiří Novák"
    assert clean_name("☎" * 100) == "☎" * 66  # 200 bytes, no half character


@given(st.text(max_size=60) | hostile)
def test_a_variable_is_refused_or_one_variable(value: str) -> None:
    try:
        header = variable("__CR_X", value)
    except AmiBadValue:
        return
    name, _, rest = header.partition("=")
    assert name == "__CR_X"
    if "," in value:
        assert rest == f'"{value}"'
    quoted = rest.startswith('"')
    assert (rest[1:-1] if quoted else rest) == value
    assert '"' not in value
    assert "\\" not in value
    guard({"Action": "Originate", "Variable": header})


@pytest.mark.parametrize("name", ["", "1A", "A B", "A=1,B", "A,B", "A(x", "A\n", "Ř"])
def test_a_bad_variable_name_is_refused(name: str) -> None:
    with pytest.raises(AmiBadValue):
        variable(name, "1")


def test_variables() -> None:
    assert variable("CALLERID(name)", "Smith,EVIL=1") == 'CALLERID(name)="Smith,EVIL=1"'
    assert variable("A", "") == "A="
