"""A house whose configuration is edited over HTTP: real files, the real settings, a real core."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse

from callrouter.api.access.tokens import ApiTokens
from callrouter.clock import SystemClock
from callrouter.daemon.editing.config_editor import ConfigEditor
from callrouter.daemon.last_good import choose_start
from callrouter.daemon.live_config import ConfigAccess, LiveConfig
from callrouter.settings import ApiToken
from tests.api.world import Client, World

HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$bm90LXRoZS1leGFtcGxl"
SECRETS = ("s3cret-of-ami", "0123456789abcdef", HASH, "hunter2", "old-token-of-the-wall")
SITE = f"""\
# The site
pbx:
  office: {{driver: simulated}}   # was: secret: s3cret-of-ami
http:
  listen: 127.0.0.1:8080
  api_tokens: [{{name: crm, role: supervisor, token: 0123456789abcdef}}]
  # - {{name: wall, token: old-token-of-the-wall}}
users:
  sam: {{role: supervisor, queues: [support], password: "{HASH}"}}
timezone: Europe/London
"""
AGENTS = f"""\
# Who works here
agents:
  alice:
    name: Alice Martin        # since 2019
    password: "{HASH}"
    devices: {{desk: PJSIP/1001}}
  bob: {{name: Bob Jones, devices: {{desk: PJSIP/1002}}}}
  # password of carol: hunter2
  carol: {{devices: {{desk: PJSIP/1003}}}}
"""
QUEUES = """\
queues:
  # The big one
  support:
    name: Support
    policy: [priority, longest-idle]
    agents: {alice: 1, bob: 2}      # bob helps out
    ring_for: 20s
    shifts:
      - {hours: sat 10:00-14:00, agents: [alice]}

  sales:
    agents: [bob, carol]
"""
TOKENS = (
    ApiToken(name="boss", role="admin", token="admin-token-123456"),
    ApiToken(name="crm", role="supervisor", token="supervisor-token-1"),
    ApiToken(name="sam", role="supervisor", token="support-token-12345", queues=("support",)),
    ApiToken(name="alice", role="agent", token="alice-token-12345", agent="alice"),
)
ADMIN, SUPERVISOR, LIMITED, AGENT = ({"Authorization": f"Bearer {token.token}"} for token in TOKENS)


class EditedHouse:
    """A world whose configuration is in a folder.

    `callers` is how many callers wait in each queue, as the files' guards see it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prepare()
        clock = SystemClock()
        start = choose_start(folder, {}, clock.now())
        self.world = World(tokens=TOKENS, table=start.settings.table)
        self.callers: dict[str, int] = {}
        self.config = LiveConfig(
            folder,
            {"XDG_STATE_HOME": str(folder)},
            start,
            clock,
            post=self.world.runtime.post,
            tokens=ApiTokens([]),  # those of the files would end the tests' own
            sessions=self.world.sessions,
            callers=lambda: self.callers,
        )
        self.world.backend.editor = ConfigEditor(self.config)
        self.world.backend.files = ConfigAccess(self.config)
        self.config.history.begin(start.files)

    def prepare(self) -> None:
        """Put the configuration where it comes from."""
        self.write("callrouter.yaml", SITE)
        self.write("agents.yaml", AGENTS)
        self.write("queues.yaml", QUEUES)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, newline="")

    def read(self, name: str) -> str:
        return (self.folder / name).read_bytes().decode()


class Editing:
    """A person at the editor."""

    def __init__(self, client: Client, who: dict[str, str]) -> None:
        self.client = client
        self.who = who

    async def get(self, path: str, status: int = 200) -> Any:
        answer = await self.client.get(f"/api/config/{path}", headers=self.who)
        return await self._json(answer, status)

    async def post(self, path: str, body: Any, status: int = 200) -> Any:
        answer = await self.client.post(f"/api/config/{path}", headers=self.who, json=body)
        return await self._json(answer, status)

    async def file(self, name: str) -> tuple[str, str]:
        view = await self.get(f"files/{name}")
        return view["text"], view["etag"]

    async def put(
        self, name: str, text: str, etag: str | None, status: int = 200, **more: Any
    ) -> Any:
        """Save a text. An empty `etag` means a new file; None says nothing of what was there."""
        headers = dict(self.who)
        if etag is not None:
            headers |= {"If-Match": f'"{etag}"'} if etag else {"If-None-Match": "*"}
        answer = await self.client.put(
            f"/api/config/files/{name}", headers=headers, json={"text": text, **more}
        )
        return await self._json(answer, status)

    async def change(self, name: str, old: str, new: str, status: int = 200, **more: Any) -> Any:
        text, etag = await self.file(name)
        assert old in text, text
        return await self.put(name, text.replace(old, new), etag, status, **more)

    async def draft(self, *edits: Any, **body: Any) -> Any:
        return await self.post("draft", {**body, **({"edits": edits} if edits else {})})

    async def _json(self, answer: ClientResponse, status: int) -> Any:
        text = await answer.text()
        assert answer.status == status, (answer.status, text[:2000])
        return json.loads(text) if text else None
