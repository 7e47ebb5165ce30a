"""The options of a telephone system: an Asterisk, a Twilio account, or a simulated one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Tag

from callrouter.settings.schema import fields as f
from callrouter.settings.schema import phone_fields as p
from callrouter.settings.schema import written_values as written
from callrouter.settings.schema.options import (
    DRIVERS,
    LIST,
    LONG,
    SHORT,
    OptionGroup,
    driver_tag,
    list_or_short,
    option,
    short_or_long,
)

_DRIVER = "Kind of telephone system."


class TlsClientOptions(OptionGroup):
    """TLS towards a PBX."""

    ca: f.FilePath = option(
        ...,
        "File with the certificates to trust, instead of the system's.",
        example="asterisk-ca.pem",
        restart=True,
    )


class AsteriskOptions(OptionGroup):
    """An Asterisk, reached through its manager interface (AMI)."""

    driver: Literal["asterisk"] = option(
        ..., _DRIVER, example="asterisk", attribute=None, restart=True
    )
    host: f.Host = option(
        "127.0.0.1",
        "Where Asterisk's manager interface listens.",
        example="10.0.0.5",
        words=str,
        restart=True,
    )
    port: f.Port = option(
        5038, "TCP port of the manager interface.", example="5039", words=str, restart=True
    )
    username: f.Text = option(
        ..., "Section of manager.conf to log in as.", example="callrouter", words=str, restart=True
    )
    secret: f.Secret = option(
        ...,
        "Its secret. Write ${NAME} or ${file:PATH}, so that it does not stand in the file.",
        example="${CALLROUTER_AMI_SECRET}",
        restart=True,
        secret=True,
    )
    dial_number: (
        Annotated[
            Annotated[p.DialNumber, Tag(SHORT)] | Annotated[p.DialNumbers, Tag(LIST)],
            Discriminator(list_or_short),
        ]
        | None
    ) = option(
        None,
        "How an outside number is dialled; {number} stands for the number. If several are listed, "
        "the next one is used when a trunk fails. Without it, this PBX rings no outside numbers.",
        example="PJSIP/{number}@carrier",
        restart=True,
    )
    number_format: p.NumberFormat = option(
        "e164",
        "How {number} is written: e164 (no +), plus, national (of numbers.region), or 00.",
        example="plus",
        words=str,
        restart=True,
    )
    caller_id: p.PhoneNumber | None = option(
        None,
        "The business's number, shown by mobiles that do not show the caller's.",
        example='"+442079460000"',
        words=written.or_none,
        restart=True,
    )
    show: p.Show = option(
        "caller",
        "What mobiles show, if the trunk allows it: the caller's number, or always the business's "
        "(caller_id).",
        example="business",
        words=str,
        restart=True,
    )
    tls: Annotated[
        Annotated[f.Bool, Tag(SHORT)] | Annotated[TlsClientOptions, Tag(LONG)],
        Discriminator(short_or_long),
    ] = option(
        False,
        "Whether to use TLS: true, false or {ca: FILE}.",
        example="true",
        words=written.yes_or_no,
        restart=True,
    )


class TwilioOptions(OptionGroup):
    """A Twilio account, which calls us over HTTP and is controlled over HTTP."""

    driver: Literal["twilio"] = option(..., _DRIVER, example="twilio", attribute=None, restart=True)
    account_sid: p.AccountSid = option(
        ...,
        "The account that has the numbers.",
        example="ACd41d8cd98f00b204e9800998ecf8427e",
        words=str,
        restart=True,
    )
    auth_token: f.Secret = option(
        ...,
        "Its auth token, with which Twilio signs. Write ${NAME} or ${file:PATH}.",
        example="${TWILIO_AUTH_TOKEN}",
        restart=True,
        secret=True,
    )
    other_auth_token: f.Secret | None = option(
        None,
        "A second auth token that is accepted while one replaces the other.",
        example="${TWILIO_OTHER_AUTH_TOKEN}",
        restart=True,
        secret=True,
    )
    api_key: p.ApiKeySid | None = option(
        None,
        "API key for requests to Twilio, in place of the auth token.",
        example="SKd41d8cd98f00b204e9800998ecf8427e",
        words=written.or_none,
        restart=True,
    )
    api_secret: f.Secret | None = option(
        None,
        "The secret of the API key.",
        example="${TWILIO_API_SECRET}",
        restart=True,
        secret=True,
    )
    public_url: f.PublicUrl | None = option(
        None,
        "How Twilio reaches the HTTP side; what it signs, also through a proxy. Default: "
        "http.public_url.",
        example="https://calls.example.com",
        words=str,
        restart=True,
    )
    numbers: dict[p.PhoneNumber, f.Name] = option(
        ...,
        "Number called: queue.",
        example='{"+442079460000": support}',
        restart=True,
        secret=True,
    )
    caller_id: p.PhoneNumber = option(
        ...,
        "The number that agents' phones show.",
        example='"+442079460000"',
        restart=True,
        secret=True,
    )
    calls_per_second: p.CallsPerSecond = option(
        1.0,
        "Calls that may be placed in a second; Twilio allows 1 unless you have it raised.",
        example="5",
        words=str,
        restart=True,
    )
    codes: p.PhoneNumber | None = option(
        None,
        "The number that agents call to key in a code, such as *45.",
        example='"+442079460090"',
        restart=True,
        secret=True,
    )
    fallback: p.PhoneNumber | None = option(
        None,
        "Where callers are sent when they leave a queue without a target.",
        example='"+442079460091"',
        restart=True,
        secret=True,
    )
    places: dict[p.ContextName, p.PhoneNumber] = option(
        {},
        "Context of a dialplan: target; the number that stands for it here.",
        example='{voicemail: "+442079460092"}',
        restart=True,
        secret=True,
    )
    music: dict[p.MusicClass, p.MediaUrl] = option(
        {},
        "Music class: sound file of half a minute, played in a loop.",
        example="{default: https://example.com/music.mp3}",
        restart=True,
        secret=True,
    )
    api_url: f.PublicUrl = option(
        "https://api.twilio.com",
        "Where Twilio's API is; for a proxy of your own.",
        example="https://twilio-proxy.example.com",
        words=str,
        restart=True,
    )


class SimulatedOptions(OptionGroup):
    """A PBX that exists only in memory, for trials and tests."""

    driver: Literal["simulated"] = option(
        ..., _DRIVER, example="simulated", attribute=None, restart=True
    )
    seed: f.Seed | None = option(
        None, "Seed of its random behaviour.", example="1", words=written.or_none, restart=True
    )


PbxOptions = Annotated[
    Annotated[AsteriskOptions, Tag(DRIVERS["asterisk"])]
    | Annotated[TwilioOptions, Tag(DRIVERS["twilio"])]
    | Annotated[SimulatedOptions, Tag(DRIVERS["simulated"])],
    Discriminator(driver_tag),
]

PBX_GROUPS: dict[str, type[OptionGroup]] = {
    "asterisk": AsteriskOptions,
    "twilio": TwilioOptions,
    "simulated": SimulatedOptions,
}
"""The options of each driver."""
