"""why and why-not: what was decided, and why nothing happens."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from callrouter.cli.commands.query import client_for, exit_on_refusal, json_option
from callrouter.cli.output_text import print_text
from callrouter.cli.tables.layout import clock_time, parse
from callrouter.model.text import clock_duration, counted, first_few

if TYPE_CHECKING:
    from callrouter.api.schemas.why_answers import PassedOverJson, StepJson, WhyJson, WhyNotJson

NAMED = 6
"""Number of names listed for each reason."""


@click.command(short_help="Explain why a call went where it went.")
@click.argument("call", required=False, default="last")
@json_option
@click.pass_context
def why(context: click.Context, *, call: str, as_json: bool) -> None:
    """Say why a call went where it went: every decision made for it, in order.

    For each phone that was rung: which other agents were available and how they were ranked, who
    was passed over and why, and what happened. CALL is an id as shown by `callrouter calls`, or any
    part of its beginning or end that is unique. Default: the latest call.
    """
    client = client_for(context)
    with exit_on_refusal():
        view: WhyJson = client.get("calls", call, "why")
    if as_json:
        click.echo(json.dumps(view, ensure_ascii=False, indent=2))
    else:
        for line in why_lines(view):
            print_text(
                line, indent=0 if line.startswith("call ") else 10 if line[:1].strip() else 4
            )


def why_lines(view: WhyJson) -> list[str]:
    """Return the answer of ``/api/calls/{id}/why`` as lines.

    The first line is about the whole call. Each step begins with its local time of day; the details
    of an offer are below it, indented by 10 spaces. What holds the call up now comes last.
    """
    lines = [_head(view)]
    if view["left_out"]:
        lines.append(f"({counted(view['left_out'], 'earlier step')} no longer kept)")
    for step in view["steps"]:
        alone = step.get("candidates", ())
        values = f" ({alone[0]['text']})" if len(alone) == 1 and alone[0]["text"] else ""
        lines.append(f"{clock_time(step['at'])}  {step['text']}{values}")
        if step["kind"] == "offer":
            lines += [f"          {line}" for line in _offer(step)]
    now = view["now"]
    if now is not None:
        lines.append(f"now       {now['text']}")
        lines += [
            f"          {line}"
            for line in _passed(g for g in now["passed_over"] if g["reason"] != "ringing")
        ]
    return lines


def _head(view: WhyJson) -> str:
    number = view["caller_number"] or "a withheld number"
    who = f"{number} {view['caller_name']}".strip() if view["caller_name"] != number else number
    day = parse(view["entered_at"]).astimezone().strftime("%a %d %b %H:%M:%S")
    ended_at = view["ended_at"]
    if ended_at is None:
        end = "still on"
    else:
        took = (parse(ended_at) - parse(view["entered_at"])).total_seconds()
        end = f"{view['result']} after {clock_duration(took)}"
    return f"call {view['call']} from {who}, {day}, {end}"


def _offer(step: StepJson) -> list[str]:
    lines = []
    candidates = step["candidates"]
    if len(candidates) > 1:
        shown = [
            f"{item['agent']} ({item['text']})" if item["text"] else item["agent"]
            for item in candidates
        ]
        more = step["available"] - len(shown)
        if more > 0:
            shown.append(f"{more} more")
        lines.append(f"available: {', '.join(shown)}")
    # Agents who are merely later in the order are listed there already.
    lines += _passed(
        group for group in step["passed_over"] if group["reason"] not in {"later", "not-drawn"}
    )
    lines.append(f"-> {step['outcome']['text']}")
    return lines


def _passed(groups: Iterable[PassedOverJson]) -> list[str]:
    return [
        f"not {first_few(group['agents'], NAMED, group['count'])}: {group['text']}"
        for group in groups
    ]


@click.command(name="why-not", short_help="Explain why an agent is not being offered calls.")
@click.argument("agent")
@click.argument("queue", required=False)
@click.option(
    "--at",
    metavar="TIME",
    help="At that time: 09:00, 'yesterday 09:00' or 2026-11-27T09:00, of the site's time zone.",
)
@click.option("--call", metavar="CALL", help="For this call: its id, or a part of it.")
@json_option
@click.pass_context
def why_not(
    context: click.Context,
    *,
    agent: str,
    queue: str | None,
    at: str | None,
    call: str | None,
    as_json: bool,
) -> None:
    """Say why an agent is not being offered calls right now, in all their queues or in QUEUE.

    With --at or --call it says why the agent was not rung then, or for that call, as long as that
    is on record. Exits with status 0 whatever the answer is.
    """
    if at is not None and call is not None:
        raise click.UsageError("give --at or --call, not both")
    client = client_for(context)
    with exit_on_refusal():
        given = {"queue": queue, "at": at, "call": call}
        query = {name: value for name, value in given.items() if value is not None}
        view: WhyNotJson = client.get("agents", agent, "why-not", **query)
    if as_json:
        click.echo(json.dumps(view, ensure_ascii=False, indent=2))
    else:
        for line in why_not_lines(view):
            print_text(line)


def why_not_lines(view: WhyNotJson) -> list[str]:
    """Return the answer of ``/api/agents/{id}/why-not`` as lines.

    First the answer as a whole and its reasons, then those of single queues, each with the queue's
    id before it; for a call, what the agent was doing and each decision, with local times of day.
    """
    when = ""
    if view["at"] is not None:
        when = parse(view["at"]).astimezone().strftime("%a %d %b %H:%M:%S") + "  "
    lines = [when + view["text"] + (":" if view["reasons"] else "")]
    lines += [f"  {reason}" for reason in view["reasons"]]
    for queue in view["queues"]:
        lines += [f"{queue['id']}: {reason}" for reason in queue["reasons"]]
    if view["call"] is not None:
        lines += [
            f"  {clock_time(span['since'])} to {clock_time(span['until']) or 'now'}  {span['text']}"
            for span in view["states"]
        ]
    for made in view["decisions"]:
        said = f"{view['agent']} {made['text']}"
        if made["reason"] != "rung":
            who = made["rung"] or "another agent"
            said = f"{who} was rung; {view['agent']}: {made['text']}"
        lines.append(f"{clock_time(made['at'])}  {made['queue']}: {said}")
    lines += [f"({missing})" for missing in view["missing"]]
    return lines
