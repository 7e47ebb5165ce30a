from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from callrouter.lab import Install, Lab, find_asterisk, lab

DIALPLAN = """
[callrouter]
exten => 100,1,Dial(PJSIP/1001,20)
 same => n,Hangup(${HANGUPCAUSE})
exten => 200,1,Answer()
 same => n,StartMusicOnHold()
 same => n,Wait(30)
exten => 300,1,Dial(PJSIP/1001&PJSIP/1002,20)
exten => 400,1,Dial(PJSIP/0441234@carrier,20)
exten => 500,1,Answer()
 same => n,Read(FIRST,,1,,,30)
 same => n,Set(GLOBAL(LAST_DIGITS)=${FIRST})
 same => n,Read(SECOND,,2,,,30)
 same => n,Set(GLOBAL(LAST_DIGITS)=${FIRST}${SECOND})
 same => n,Hangup()
"""


@pytest.fixture(scope="session")
def install() -> Install:
    return asyncio.run(find_asterisk(print))


@pytest.fixture
async def here(install: Install) -> AsyncIterator[Lab]:
    async with lab(install, phones=("1001", "1002", "1003"), dialplan=DIALPLAN) as made:
        yield made
