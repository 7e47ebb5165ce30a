"""A client for the Asterisk Manager Interface (AMI). It knows nothing of the rest of callrouter.

`AmiClient` connects, logs in by challenge, notices within seconds when the link or Asterisk is
gone, and reconnects until it is closed. Actions return futures that always end: with the reply, or
with one of the errors below. Events go to a callback, in order.

    client = AmiClient(
        AmiAccount("127.0.0.1", 5038, "monitor", "secret"),
        on_event=lambda event: print(event.name, event.get("Channel")),
        on_up=up.set,
        on_down=lambda reason: print("link lost:", reason),
    )
    running = asyncio.create_task(client.run())
    await up.wait()
    rows = await client.list({"Action": "Status"})

`README.md` in this folder has the whole example and says which file does what. Three promises
matter to callers:

- An action is written once or not at all. After `AmiDown` or `AmiTimeout` it may have been
executed.
- A value never becomes a second header or a second action: `AmiBadValue` is raised instead.
- `on_up` is called after every login, because events may have been lost before it. The caller must
  then read the state it needs.
"""

from callrouter.pbx.asterisk.ami.client import AmiClient
from callrouter.pbx.asterisk.ami.client_options import (
    AmiAccount,
    AmiTiming,
    LoginRefusal,
    UserEventRules,
)
from callrouter.pbx.asterisk.ami.counters import AmiCount, AmiCounters
from callrouter.pbx.asterisk.ami.errors import (
    AmiBadValue,
    AmiDown,
    AmiError,
    AmiGarbage,
    AmiNotPermitted,
    AmiRejected,
    AmiTimeout,
)
from callrouter.pbx.asterisk.ami.messages import AmiMessage, AmiReply
from callrouter.pbx.asterisk.ami.replies import ListRows
from callrouter.pbx.asterisk.ami.wire import Action

__all__ = [
    "Action",
    "AmiAccount",
    "AmiBadValue",
    "AmiClient",
    "AmiCount",
    "AmiCounters",
    "AmiDown",
    "AmiError",
    "AmiGarbage",
    "AmiMessage",
    "AmiNotPermitted",
    "AmiRejected",
    "AmiReply",
    "AmiTimeout",
    "AmiTiming",
    "ListRows",
    "LoginRefusal",
    "UserEventRules",
]
