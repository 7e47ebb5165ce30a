"""Changes of a YAML text at one place: everything around it stays as it is, to the character."""

from __future__ import annotations

from callrouter.settings.editing.text_tree import Entry, Node, TextTree
from callrouter.settings.editing.yaml_text import (
    INDENT,
    inline_text,
    item_lines,
    key_text,
    scalar_text,
    value_text,
)


def _put(tree: TextTree, start: int, end: int, text: str) -> str:
    return tree.text[:start] + text + tree.text[end:]


def replaced(tree: TextTree, node: Node, value: object, key: Entry | None) -> str:
    """Return the text with another value in the place of `node`.

    Args:
        tree: the text.
        node: what stands there now.
        value: what takes its place.
        key: the key whose value it is; None: it is an item of a list.
    """
    if node.kind == "scalar" and not isinstance(value, dict | list):
        style = node.style if node.style in {'"', "'"} and isinstance(value, str) else ""
        new = scalar_text(value, style)
        if node.style not in {"|", ">"}:
            gap = " " if node.start == node.end else ""  # `key:` without a value
            return _put(tree, node.start, node.end, gap + new)
    if key is None or node.flow:
        return _put(tree, node.start, node.end, inline_text(value))
    colon = tree.text.index(":", key.end) + 1
    in_braces = tree.text[tree.line_start(key.start) : key.start].strip(" -?") != ""
    new = value_text(value, tree.indent(key.start), tree.line_break, braces=in_braces or None)
    if node.kind == "scalar" and node.start > node.end - 1:
        return _put(tree, colon, colon, new)
    between = tree.text[colon : node.start]
    comment = "#" + between.split("#", 1)[1].rstrip() if "#" in between else ""
    if comment and not new.startswith(" "):
        new = f"  {comment}{new}"
    elif comment:
        new = f"{new}  {comment.splitlines()[0]}"
    return _put(tree, colon, node.end, new)


# ---------------------------------------------------------------- mappings


def with_key(tree: TextTree, mapping: Node, key: str, value: object, parent: Entry | None) -> str:
    """Return the text with a further key at the end of a mapping.

    Args:
        tree: the text.
        mapping: the mapping; a scalar without a value counts as an empty one.
        key: the new key.
        value: its value.
        parent: the key of the mapping; None: it is the whole file, or an item of a list.
    """
    written = f"{key_text(key)}:"
    if mapping.flow:
        new = f"{written} {inline_text(value)}"
        last = list(mapping.entries.values())[-1].node.end if mapping.entries else None
        return _into_brackets(tree, mapping, last, new)
    entries = list(mapping.entries.values())
    if not entries:
        indent = tree.indent(parent.start) + INDENT if parent is not None else 0
        at = tree.next_line(parent.end) if parent is not None else len(tree.text)
        return _with_line(tree, at, " " * indent + written + _value(tree, value, indent, None))
    indent, last_entry = tree.indent(entries[0].start), entries[-1]
    braces = True if _all_flow(entries) and isinstance(value, dict) else None
    lines = " " * indent + written + _value(tree, value, indent, braces)
    apart = len(entries) > 1 and _is_apart(tree, entries[-2].node.end, last_entry.start)
    return _with_line(tree, tree.next_line(last_entry.node.end), lines, apart=apart)


def _value(tree: TextTree, value: object, indent: int, braces: bool | None) -> str:
    return value_text(value, indent, tree.line_break, braces=braces)


def _all_flow(entries: list[Entry]) -> bool:
    return all(entry.node.flow or entry.node.kind == "scalar" for entry in entries[-3:])


def _is_apart(tree: TextTree, end: int, start: int) -> bool:
    """Return whether an empty line stands between two entries."""
    lines = tree.text[end:start].splitlines()
    return any(not line.strip() for line in lines[1:-1])


def _with_line(tree: TextTree, at: int, line: str, *, apart: bool = False) -> str:
    """Return the text with a further line (or several) that begins at an offset."""
    broken = tree.line_break
    before = tree.text[:at]
    gap = broken if before and before.removeprefix("\ufeff") and before[-1] not in "\r\n" else ""
    return before + gap + (broken if apart else "") + line + broken + tree.text[at:]


def without_key(tree: TextTree, mapping: Node, key: str, parent: Entry | None) -> str:
    """Return the text without a key of a mapping; an empty mapping is written as ``{}``.

    The comment behind it on its line goes as well; those above it stay.
    """
    if len(mapping.entries) == 1 and parent is not None:
        return replaced(tree, mapping, {}, parent)
    names = list(mapping.entries)
    n = names.index(key)
    entries = list(mapping.entries.values())
    spans = [(entry.start, entry.node.end) for entry in entries]
    return _without(tree, mapping, spans, n, spans[n][0])


# ---------------------------------------------------------------- lists


def with_item(tree: TextTree, items: Node, index: int, value: object) -> str:
    """Return the text with a further item of a list that is not empty, or stands in brackets."""
    if items.flow:
        if index < len(items.items):
            at = items.items[index].start
            return _put(tree, at, at, f"{inline_text(value)}, ")
        last = items.items[-1].end if items.items else None
        return _into_brackets(tree, items, last, inline_text(value))
    indent = tree.indent(items.start)
    lines = tree.line_break.join(item_lines(value, indent))
    if index:
        return _with_line(tree, tree.next_line(items.items[index - 1].end), lines)
    # The list may begin behind a dash: `- - a`.
    rest = lines[indent:] + tree.line_break + " " * indent
    return _put(tree, items.start, items.start, rest)


def without_item(tree: TextTree, items: Node, index: int, parent: Entry | None) -> str:
    """Return the text without an item of a list; an empty list is written as ``[]``."""
    if len(items.items) == 1:
        return replaced(tree, items, [], parent)
    spans = [(item.start, item.end) for item in items.items]
    if items.flow:
        return _without(tree, items, spans, index, spans[index][0])
    dashes = [(_dash(tree, start), end) for start, end in spans]
    return _without(tree, items, dashes, index, dashes[index][0])


def _dash(tree: TextTree, start: int) -> int:
    return tree.text.rindex("-", 0, start)


def _without(tree: TextTree, node: Node, spans: list[tuple[int, int]], n: int, start: int) -> str:
    """Return the text without one of several entries or items."""
    end = spans[n][1]
    if node.flow:
        if n + 1 < len(spans):
            return _put(tree, start, spans[n + 1][0], "")
        return _put(tree, spans[n - 1][1] if n else start, end, "")
    line = tree.line_start(start)
    if tree.text[line:start].strip(" \t\ufeff"):
        # The first entry behind a dash: the next one takes its place.
        return _put(tree, start, spans[n + 1][0], "")
    line += tree.text[line:start].count("\ufeff")
    return _put(tree, line, tree.next_line(end), "")


def _into_brackets(tree: TextTree, node: Node, last: int | None, new: str) -> str:
    """Return the text with something before the closing bracket of a mapping or a list."""
    close = node.end - 1
    if last is None:
        return _put(tree, node.start + 1, close, new)
    if "," in tree.text[last:close].split("#", 1)[0]:
        comma = tree.text.index(",", last) + 1
        return _put(tree, comma, comma, f" {new}")
    return _put(tree, last, last, f", {new}")


# ---------------------------------------------------------------- special forms


def renamed(tree: TextTree, entry: Entry, key: str) -> str:
    """Return the text with another name of a key."""
    return _put(tree, entry.start, entry.end, key_text(key))


def as_mapping(tree: TextTree, items: Node) -> str:
    """Return the text with a list of names as a mapping from each name to 1."""
    text, edges = tree.text, []
    for item in items.items:
        name = f"{text[item.start : item.end]}: 1"
        edges.append((item.start if items.flow else _dash(tree, item.start), item.end, name))
    if items.flow:
        edges = [(items.start, items.start + 1, "{"), *edges, (items.end - 1, items.end, "}")]
    for start, end, new in reversed(edges):
        text = text[:start] + new + text[end:]
    return text
