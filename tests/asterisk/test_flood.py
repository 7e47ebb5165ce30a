"""More events than anybody can want: what is remembered of them stays bounded."""

from __future__ import annotations

from callrouter.core.check import check
from callrouter.pbx.asterisk import driver
from callrouter.pbx.asterisk.driver import AsteriskPbx
from callrouter.pbx.asterisk.wire import parse
from callrouter.settings import AsteriskSettings
from tests.asterisk.floor import PBX, queue, staff, table
from tests.fuzz.amistream import Heard

EVENTS = (
    "Event: Newchannel\r\nChannel: PJSIP/x{n}-1\r\nUniqueid: 1.{n}\r\n",
    "Event: UserEvent\r\nUserEvent: CallrouterCall\r\nUniqueid: 1.{n}\r\nCallQueue: support\r\n",
    "Event: Newstate\r\nUniqueid: 1.{n}\r\nChannelStateDesc: Up\r\n",
    "Event: UserEvent\r\nUserEvent: CallrouterAccepted\r\nUniqueid: 2.{n}\r\nOffer: o{n}\r\nDevice: d\r\n",
    "Event: Rename\r\nUniqueid: 3.{n}\r\nNewname: PJSIP/y{n}-1\r\n",
    "Event: Hangup\r\nUniqueid: 3.{n}\r\nCause: 16\r\n",
    "Event: Hangup\r\nUniqueid: 1.{n}\r\nCause: 16\r\n",
)


def test_sixty_thousand_events_leave_nothing_in_the_mirror_and_the_core() -> None:
    heard = Heard()
    for n in range(9_000):
        for text in EVENTS:
            heard.mirror.handle(parse(text.format(n=n).encode()))
    assert heard.mirror.callers == {}
    assert heard.mirror.moved == set()
    assert len(heard.mirror.legs) == 0
    floor = heard.router.floor
    assert floor.calls == {}
    assert check(floor) == []
    assert len(floor.departed) < 2_000


async def test_a_flood_before_the_first_comparison_is_not_kept() -> None:
    settings = AsteriskSettings(id=PBX, username="callrouter", secret="x")
    spec = table(staff(1), queue("support", ["a1"]))
    pbx = AsteriskPbx(PBX, settings, post=lambda _: None, table=spec, boot="b")
    pbx._on_up()
    message = parse(EVENTS[0].format(n=1).encode())
    for _ in range(driver.MOST_KEPT * 2 + 10):
        pbx._on_event(message)
    assert pbx._buffer is not None
    assert len(pbx._buffer) <= driver.MOST_KEPT
    assert pbx._sync_again
