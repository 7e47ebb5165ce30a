// Single values in the text of a YAML file: found, changed, added and removed, and nothing else of
// the text is touched. Comments, order and layout stay as people wrote them.

import { yamlLanguage } from "../vendor/codemirror.js";

const INTEGER = /^-?(?:0|[1-9]\d{0,17})$/;
const FLOAT = /^-?(?:(?:0|[1-9]\d{0,17})(?:\.\d{1,18})?|\.\d{1,18})(?:[eE][-+]?\d{1,2})?$/;
const WORDS = { true: true, false: false, null: null, Null: null, NULL: null, "~": null };
const PLAIN = /^[A-Za-z0-9_/.$+(][^#:\n]*$/;
const COLLECTIONS = ["BlockMapping", "FlowMapping", "BlockSequence", "FlowSequence"];
const ESCAPES = { n: "\n", t: "\t", r: "\r", 0: "\0", e: "\x1b" };

/** A value that the forms cannot read, such as one that is not finished; the text has it. */
export const UNREADABLE = Symbol("unreadable");

/** The text of a file with its structure. Every change gives a new one. */
export class YamlText {
  constructor(text) {
    this.text = text;
    const tree = yamlLanguage.parser.parse(text);
    const document = tree.topNode.getChild("Document");
    this.root = document ? inner(document) : null;
    this.broken = false;
    tree.iterate({ enter: (node) => { if (node.type.isError) this.broken = true; } });
  }

  /** The value at a path such as ["queues", "support", "ring_for"]; undefined: not written. */
  value(path) {
    const node = this.#find(path);
    return node === undefined ? undefined : this.#read(node);
  }

  /** The keys of a mapping, as written. */
  keys(path) {
    const node = this.#find(path);
    return isMapping(node) ? pairs(node).map((pair) => this.#key(pair)) : [];
  }

  /** Where something stands, as [from, to]; null: nowhere. The key counts with its value. */
  place(path) {
    const parent = path.length ? this.#find(path.slice(0, -1)) : undefined;
    const found = parent && this.#child(parent, path.at(-1));
    return found ? [found.holder.from, found.holder.to] : null;
  }

  /** The path of what stands at a position: the innermost keys and numbers around it. */
  pathAt(position) {
    const path = [];
    let node = this.root;
    while (node) {
      const found = isMapping(node) ? pairs(node).find((pair) => holds(pair, position))
        : isSequence(node) ? items(node).find((item) => holds(item, position)) : undefined;
      if (!found) break;
      path.push(isMapping(node) ? this.#key(found) : items(node).findIndex((item) => item.from === found.from));
      node = found.name === "Pair" ? valueOf(found) : inner(found);
    }
    return path;
  }

  /** The changes, as {from, to, insert}, that give a path a value. `after`: keys of the same
   * mapping behind which a new key would stand well, the best one last. */
  set(path, value, after = []) {
    if (!path.length) throw new Error("a path needs a key");
    const parent = path.length === 1 ? this.root : this.#find(path.slice(0, -1));
    const last = path.at(-1);
    if (parent === undefined || parent === null || !COLLECTIONS.includes(parent.name)) {
      if (path.length > 1) return this.set(path.slice(0, -1), typeof last === "number" ? [value] : { [last]: value }, after);
      const gap = this.text && !this.text.endsWith("\n") ? "\n" : "";
      return [{ from: this.text.length, to: this.text.length, insert: `${gap}${block(last, value, 0)}\n` }];
    }
    const found = this.#child(parent, last);
    if (found) return this.#replace(parent, found, value);
    if (isFlow(parent) && isMapping(parent) && !pairs(parent).length && path.length > 1) return this.set(path.slice(0, -1), { [last]: value });
    return isFlow(parent) ? this.#addToFlow(parent, last, value) : this.#addToBlock(parent, last, value, after);
  }

  /** The changes that take a key or an item out, with its line where it has one of its own. */
  remove(path) {
    const parent = path.length === 1 ? this.root : this.#find(path.slice(0, -1));
    const found = parent && this.#child(parent, path.at(-1));
    if (!found) return [];
    const all = isMapping(parent) ? pairs(parent) : items(parent);
    if (isFlow(parent)) return [this.#outOfFlow(all, found.holder)];
    if (all.length === 1 && path.length > 1) return this.#empty(path.slice(0, -1), parent);
    return [this.#lines(parent, found.holder)];
  }

  /** The changes that let two items of a list change places. */
  swap(path, one, other) {
    const all = items(this.#find(path)).map((item) => {
      const to = trimmed(this.text, item);
      return { from: item.from + this.text.slice(item.from, to).search(/\S/), to };
    });
    const textOf = ({ from, to }) => this.text.slice(from, to);
    return [{ ...all[one], insert: textOf(all[other]) }, { ...all[other], insert: textOf(all[one]) }];
  }

  /** The changes that give a key another name. */
  rename(path, name) {
    const pair = this.#child(this.#find(path.slice(0, -1)), path.at(-1)).holder;
    const key = pair.getChild("Key");
    return [{ from: key.from, to: key.to, insert: scalar(name, true) }];
  }

  #find(path) {
    let node = this.root ?? undefined;
    for (const step of path) {
      const found = node && this.#child(node, step);
      if (!found || !found.value) return undefined;
      node = found.value;
    }
    return node;
  }

  #child(node, step) {
    if (isMapping(node)) {
      const pair = pairs(node).find((item) => this.#key(item) === String(step));
      return pair && { holder: pair, value: valueOf(pair) };
    }
    const item = isSequence(node) ? items(node)[step] : undefined;
    return item && { holder: item, value: inner(item) };
  }

  #key(pair) {
    const key = pair.getChild("Key");
    const node = key && inner(key);
    return node ? String(this.#plain(node)) : "";
  }

  #plain(node) {
    const raw = this.text.slice(node.from, node.to);
    if (node.name !== "QuotedLiteral") return raw.trim().replace(/[ \t]*\n\s*/g, " ");
    const inside = raw.slice(1, -1).replace(/[ \t]*\n\s*/g, " ");
    if (raw[0] === "'") return inside.replaceAll("''", "'");
    return inside.replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))/g, (_, two, four, one) =>
      (two || four ? String.fromCharCode(parseInt(two ?? four, 16)) : ESCAPES[one] ?? one));
  }

  #read(node) {
    if (isMapping(node)) {
      return Object.fromEntries(pairs(node).map((pair) => {
        const found = valueOf(pair);
        return [this.#key(pair), found ? this.#read(found) : null];
      }));
    }
    if (isSequence(node)) return items(node).map((item) => (inner(item) ? this.#read(inner(item)) : null));
    if (node.name === "QuotedLiteral") return this.#plain(node);
    if (node.name !== "Literal") return UNREADABLE;
    const raw = this.#plain(node);
    if (raw in WORDS) return WORDS[raw];
    return INTEGER.test(raw) || FLOAT.test(raw) ? Number(raw) : raw;
  }

  #replace(parent, found, value) {
    const { holder, value: old } = found;
    const colon = holder.getChild(":");
    if (colon && !isFlow(parent) && (!old || old.name.startsWith("Block") || isDeep(value))) {
      const to = old ? trimmed(this.text, old) : colon.to;
      return [{ from: colon.to, to, insert: block("", value, this.#column(holder)).slice(3) }];
    }
    if (!old) return [{ from: (colon ?? holder).to, to: (colon ?? holder).to, insert: ` ${flow(value, isFlow(parent))}` }];
    // Quotes stay as people wrote them, but for those that only the old value needed, such as `queue:` while one types.
    const needed = old.name === "QuotedLiteral" && this.text[old.from] === '"' && scalar(this.#plain(old), isFlow(parent))[0] === '"';
    const quote = old.name === "QuotedLiteral" && typeof value === "string" && !needed ? this.text[old.from] : "";
    const insert = quote ? quotedWith(value, quote) : flow(value, isFlow(parent));
    const gap = old.name.startsWith("Block") && holder.name !== "Pair" && /\s/.test(this.text[old.from]) ? " " : "";
    return [{ from: old.from, to: trimmed(this.text, old), insert: gap + insert }];
  }

  #addToFlow(parent, key, value) {
    const written = isMapping(parent) ? `${scalar(key, true)}: ${flow(value, true)}` : flow(value, true);
    const all = isMapping(parent) ? pairs(parent) : items(parent);
    const at = all.length ? all.at(-1).to : parent.from + 1;
    return [{ from: at, to: at, insert: all.length ? `, ${written}` : written }];
  }

  #addToBlock(parent, key, value, after) {
    const all = isMapping(parent) ? pairs(parent) : items(parent);
    const near = isMapping(parent) ? after.map((name) => all.find((pair) => this.#key(pair) === name)).filter(Boolean).at(-1) : undefined;
    const previous = near ?? all.at(-1);
    const column = isMapping(parent) ? this.#column(all[0]) : this.#column(parent.getChild("-"));
    const line = isMapping(parent) ? block(key, value, column) : `- ${flow(value, false)}`;
    const end = this.#lineEnd(trimmed(this.text, previous));
    return [{ from: end, to: end, insert: `\n${" ".repeat(column)}${line}` }];
  }

  #outOfFlow(all, holder) {
    const n = all.findIndex((item) => item.from === holder.from);
    if (all.length === 1) return { from: holder.from, to: holder.to, insert: "" };
    return n + 1 < all.length ? { from: holder.from, to: all[n + 1].from, insert: "" } : { from: all[n - 1].to, to: holder.to, insert: "" };
  }

  #empty(path, parent) {
    const holder = path.length === 1 ? this.#child(this.root, path[0]).holder : this.#child(this.#find(path.slice(0, -1)), path.at(-1)).holder;
    const from = holder.name === "Pair" ? holder.getChild(":").to : holder.from;
    return [{ from, to: trimmed(this.text, parent), insert: isMapping(parent) ? " {}" : " []" }];
  }

  #lines(parent, holder) {
    const start = holder.name === "Pair" ? holder.from : this.text.lastIndexOf("-", holder.from);
    const before = this.text.lastIndexOf("\n", start - 1) + 1;
    const end = this.#lineEnd(trimmed(this.text, holder));
    if (this.text.slice(before, start).trim()) { // it shares its line with the dash of a list
      const next = holder.nextSibling;
      return { from: start, to: next ? next.from : end, insert: "" };
    }
    if (end < this.text.length) return { from: before, to: end + 1, insert: "" };
    return { from: Math.max(0, before - 1), to: end, insert: "" };
  }

  #column(node) { return node.from - (this.text.lastIndexOf("\n", node.from - 1) + 1); }

  #lineEnd(position) {
    const end = this.text.indexOf("\n", position);
    return end < 0 ? this.text.length : end;
  }
}

const isMapping = (node) => Boolean(node) && node.name.endsWith("Mapping");
const isSequence = (node) => Boolean(node) && node.name.endsWith("Sequence");
const isFlow = (node) => node.name.startsWith("Flow");
const pairs = (node) => node.getChildren("Pair");
const items = (node) => node.getChildren("Item");
const holds = (node, position) => node.from <= position && position <= node.to;

const SKIPPED = ["Comment", "Key", ":", "DirectiveEnd"];
/** What a node wraps: the first child that is a value. */
function inner(node) {
  for (let child = node.firstChild; child; child = child.nextSibling) if (!SKIPPED.includes(child.name) && !child.type.isError) return child;
  return null;
}
const valueOf = (pair) => inner(pair);

/** The end of a node without the empty lines that a block of text may take in. */
function trimmed(text, node) {
  let end = node.to;
  while (end > node.from && /\s/.test(text[end - 1])) end -= 1;
  return end;
}

/** A text, number or truth value as YAML; in quotes where it would be read as something else. */
function scalar(value, inFlow) {
  if (typeof value !== "string") return String(value);
  const plain = PLAIN.test(value.replace(/:(?=\S)/g, "").replace(/(?<=\S)#/g, "")) && value.trim() === value
    && !(value in WORDS) && !INTEGER.test(value) && !FLOAT.test(value) && !(inFlow && /[,[\]{}]/.test(value))
    && !/^[0-9.+-]*:|^(?:yes|no|on|off|y|n)$/i.test(value);
  return plain ? value : quotedWith(value, '"');
}

const quotedWith = (value, quote) => (quote === "'" && !/[\n\t\r]/.test(value) ? `'${value.replaceAll("'", "''")}'`
  : JSON.stringify(value));

/** A value on one line. */
export function flow(value, inFlow = true) {
  if (Array.isArray(value)) return `[${value.map((item) => flow(item)).join(", ")}]`;
  if (value && typeof value === "object") return `{${Object.entries(value).map(([key, item]) => `${scalar(key, true)}: ${flow(item)}`).join(", ")}}`;
  return scalar(value, inFlow);
}

const isDeep = (value) => Boolean(value) && typeof value === "object" && Object.values(value).some((item) => item && typeof item === "object");

/** A key with its value; mappings of mappings, and lists of mappings, have a line for each. */
function block(key, value, indent) {
  const name = scalar(key, true);
  const deep = isDeep(value);
  const pad = " ".repeat(indent + 2);
  if (deep && Array.isArray(value)) return `${name}:${value.map((item) => `\n${pad}- ${flow(item)}`).join("")}`;
  if (deep) return `${name}:${Object.entries(value).map(([inside, item]) => `\n${pad}${block(inside, item, indent + 2)}`).join("")}`;
  return `${name}: ${flow(value, false)}`;
}

/** The text with changes applied that were all made for it. */
export const applied = (text, changes) => [...changes].sort((one, two) => two.from - one.from)
  .reduce((made, change) => made.slice(0, change.from) + change.insert + made.slice(change.to), text);
