"""How fast Twilio's webhooks are answered: `python -m bench.webhooks`.

Runs its own daemon with 100 agents, a server on loopback in place of Twilio's REST API, and signed
requests at a steady rate: callers who arrive and who request music. No agent answers, so the router
keeps ringing while it replies. Prints the response times. Twilio gives up after seconds, so none of
them is close to that, but a person who answers hears nothing until the response has arrived. The
daemon's CPU time per webhook is printed too: on a machine with other load it is more meaningful.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from twilio.request_validator import RequestValidator

ACCOUNT = "AC" + "a" * 32
NUMBER = "+442079460000"
PUBLIC = "https://calls.example.com"
RATE = 100
SECONDS = 10.0


def write(folder: Path, api: str, port: int) -> None:
    agents = "\n".join(
        f"  a{n}: {{sign_in: always, devices: {{mobile: {{number: '+4477009{n:05d}'}}}}}}"
        for n in range(100)
    )
    names = ", ".join(f"a{n}" for n in range(100))
    (folder / "callrouter.yaml").write_text(
        f"pbx:\n  cloud: {{driver: twilio, account_sid: {ACCOUNT}, auth_token: t0p, "
        f"public_url: '{PUBLIC}', numbers: {{'{NUMBER}': support}}, caller_id: '{NUMBER}', "
        f"calls_per_second: 30, api_url: '{api}'}}\n"
        f"http: {{listen: '127.0.0.1:{port}'}}\n"
        f"agents:\n{agents}\nqueues:\n  support: {{agents: [{names}]}}\n",
        "utf-8",
    )


class Rest:
    """Stands in for Twilio's REST API: everything works at once, and no call is ever answered."""

    def __init__(self) -> None:
        self.placed = 0

    async def answer(self, request: web.Request) -> web.Response:
        name = request.path.rsplit("/", 1)[1]
        if request.method == "GET":
            key = {"Calls.json": "calls", "Queues.json": "queues"}.get(name, "conferences")
            return web.json_response({key: [], "next_page_uri": None})
        self.placed += name == "Calls.json"
        sid = f"CA{self.placed + (1 << 60):032x}"
        return web.json_response({"sid": sid, "queue_time": "0"}, status=201)


async def ask(session: ClientSession, port: int, part: str, sid: str) -> float:
    form = {"AccountSid": ACCOUNT, "CallSid": sid, "From": "+33123456789", "To": NUMBER, "CallStatus": "in-progress"}  # fmt: skip
    path = f"/twilio/cloud/{part}"
    signature = RequestValidator("t0p").compute_signature(PUBLIC + path, form)
    began = time.perf_counter()
    headers = {"X-Twilio-Signature": signature}
    async with session.post(f"http://127.0.0.1:{port}{path}", data=form, headers=headers) as said:
        await said.read()
        assert said.status == 200, said.status
    return (time.perf_counter() - began) * 1000


async def until_up(session: ClientSession, port: int) -> None:
    async with asyncio.timeout(30.0):
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            await asyncio.sleep(0.1)


async def main() -> None:
    app, rest = web.Application(), Rest()
    app.router.add_route("*", "/{tail:.*}", rest.answer)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "config"
        folder.mkdir()
        async with TestServer(app) as server, ClientSession() as session:
            async with TestServer(web.Application()) as spare:
                port = spare.port
            assert port is not None
            write(folder, str(server.make_url("")).rstrip("/"), port)
            daemon = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "callrouter", "--config", str(folder), "run"),
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                await until_up(session, port)
                before = processor_time(daemon.pid)
                took = await load(session, port)
                spent = processor_time(daemon.pid) - before
            finally:
                daemon.terminate()
                await daemon.wait()
    cuts = statistics.quantiles(took, n=100)
    print(f"{len(took)} webhooks at {RATE} a second, 100 agents, {rest.placed} phones rung")
    print(
        f"the daemon's processor time: {spent / len(took) * 1000:.2f} ms for each, REST work in it"
    )
    print(f"answered in: median {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, worst {max(took):.1f} ms")


def processor_time(pid: int) -> float:
    """Return the CPU seconds a process has used (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(session: ClientSession, port: int) -> list[float]:
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number in range(int(RATE * SECONDS)):
            await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            part = "wait" if number % 2 else "voice"
            sid = f"CA{number // 2:032x}"
            tasks.append(group.create_task(ask(session, port, part, sid)))
    return [task.result() for task in tasks]


if __name__ == "__main__":
    asyncio.run(main())
