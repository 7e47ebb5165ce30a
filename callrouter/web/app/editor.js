// The text of a file, with completion and marks by the daemon. It lives in a shadow root, whose style
// sheets are made by script, so that the page's policy needs no exception for styles.

import { html, useEffect, useRef } from "../vendor/preact.js";
import {
  autocompletion, bracketMatching, closeBrackets, closeBracketsKeymap, completionKeymap, defaultKeymap, drawSelection, EditorState,
  EditorView, highlightActiveLine, highlightActiveLineGutter, highlightSelectionMatches, HighlightStyle, history, historyKeymap, indentOnInput,
  indentUnit, keymap, lineNumbers, lintGutter, lintKeymap, MergeView, search, searchKeymap, setDiagnostics, syntaxHighlighting, tags, Transaction, yaml,
} from "../vendor/codemirror.js";
import { ask } from "./api.js";
import { hintOf, messageOf } from "./phrases.js";
import { t } from "./words.js";

const FROM_OUTSIDE = "input.form";

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--accent)" },
  { tag: tags.comment, color: "var(--soft)", fontStyle: "italic" },
  { tag: [tags.string, tags.content], color: "var(--ink)" },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: "var(--soft)" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

const wavy = (colour) => ({ backgroundImage: "none", paddingBottom: "0", textDecoration: `underline wavy ${colour} 1.5px`, textUnderlineOffset: "3px" });
const marker = (sign, colour) => ({ content: `"${sign}"`, color: colour });
const theme = EditorView.theme({
  "&": { backgroundColor: "var(--card)", color: "var(--ink)", blockSize: "100%", fontSize: "14px" },
  "&.cm-focused": { outline: "3px solid var(--accent)", outlineOffset: "-1px" },
  ".cm-scroller": { fontFamily: 'ui-monospace, "Noto Sans Mono", monospace', lineHeight: "1.5", overflow: "auto" },
  ".cm-content": { caretColor: "var(--ink)" },
  ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--ink)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--paper)", color: "var(--soft)", borderInlineEnd: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--tint) 60%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--accent) 30%, transparent)" },
  ".cm-selectionMatch, .cm-searchMatch": { backgroundColor: "color-mix(in srgb, var(--warn) 18%, transparent)" },
  ".cm-searchMatch-selected": { outline: "2px solid var(--warn)" },
  ".cm-panels, .cm-tooltip": { backgroundColor: "var(--card)", color: "var(--ink)", border: "1px solid var(--line)" },
  ".cm-tooltip": { borderRadius: "8px", boxShadow: "0 8px 24px #0003", overflow: "hidden", maxInlineSize: "min(36rem, 90vw)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-completionDetail": { color: "inherit", opacity: ".8" },
  ".cm-completionInfo": { padding: "6px 10px", maxInlineSize: "22rem", whiteSpace: "pre-line" },
  ".cm-textfield, .cm-button": { backgroundColor: "var(--card)", backgroundImage: "none", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "6px", fontSize: "inherit" },
  ".cm-diagnostic": { padding: "6px 10px", borderInlineStart: "4px solid var(--bad)" },
  ".cm-diagnostic-warning": { borderInlineStartColor: "var(--warn)" },
  ".cm-lintRange-error": wavy("var(--bad)"),
  ".cm-lintRange-warning": wavy("var(--warn)"),
  ".cm-lintRange-active": { backgroundColor: "color-mix(in srgb, var(--bad) 15%, transparent)" },
  ".cm-lint-marker-error, .cm-lint-marker-warning": { content: "normal", fontSize: "11px", lineHeight: "inherit", textAlign: "center" },
  ".cm-lint-marker-error::before": marker("▲", "var(--bad)"),
  ".cm-lint-marker-warning::before": marker("◆", "var(--warn)"),
  ".cm-changedLine, .cm-insertedLine": { backgroundColor: "color-mix(in srgb, var(--good) 10%, transparent) !important" },
  "&.cm-merge-a .cm-changedLine, .cm-deletedChunk": { backgroundColor: "color-mix(in srgb, var(--warn) 10%, transparent) !important" },
  "& .cm-changedText": { background: "color-mix(in srgb, var(--good) 12%, transparent) !important", textDecoration: "underline" },
  "&.cm-merge-a .cm-changedText": { background: "color-mix(in srgb, var(--warn) 12%, transparent) !important", textDecoration: "underline" },
  ".cm-collapsedLines": { background: "var(--tint) !important", color: "var(--soft)" },
});

/** CodeMirror's own words, in the language of the page. */
const phrases = () => Object.fromEntries(Object.entries({
  Find: "find", Replace: "replace", next: "next", previous: "previous", all: "all", "match case": "match-case", "by word": "by-word", regexp: "regexp",
  replace: "replace-one", "replace all": "replace-all", close: "close", "go to line": "go-to-line", go: "go", "No diagnostics": "no-problems",
  Diagnostics: "problems", Completions: "completions", "$ unchanged lines": "unchanged",
}).map(([theirs, ours]) => [theirs, t(`tables-editor.${ours}`)]));

const basics = (label, readOnly) => [
  lineNumbers(), highlightActiveLine(), highlightActiveLineGutter(), drawSelection(), bracketMatching(), indentOnInput(), indentUnit.of("  "),
  yaml(), syntaxHighlighting(colours), theme, EditorView.lineWrapping, highlightSelectionMatches(), search({ top: true }),
  EditorState.phrases.of(phrases()), EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", dir: "ltr", tabindex: "0" }),
  EditorState.readOnly.of(readOnly), keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap]),
];

/** Where a place of the daemon's (line, and column in characters, both from 1) is in the text. */
function position(doc, line, column) {
  if (line < 1 || line > doc.lines) return 0;
  const found = doc.line(line);
  return Math.min(found.to, found.from + [...found.text].slice(0, Math.max(0, column - 1)).join("").length);
}

function marks(doc, problems) {
  return problems.map((item) => {
    const from = position(doc, item.line, item.column);
    const to = Math.max(from, position(doc, item.end_line || item.line, item.end_column || item.column));
    const whole = doc.lineAt(from);
    return { from, to: to > from ? to : Math.max(from, whole.to), severity: item.severity, message: [messageOf(item), hintOf(item)].filter(Boolean).join("\n") };
  }).sort((one, two) => one.from - two.from);
}

/** Ask the daemon what fits at the cursor. */
const completing = (name) => async (context) => {
  const { doc } = context.state;
  const line = doc.lineAt(context.pos);
  const column = [...line.text.slice(0, context.pos - line.from)].length + 1;
  if (!context.explicit && !/[\w{[,:-]\s?$/.test(line.text.slice(0, context.pos - line.from))) return null;
  let found;
  try {
    found = await ask("POST", "/api/config/complete", { file: name, text: doc.toString(), line: line.number, column });
  } catch { return null; } // while the daemon is away there is nothing to offer
  if (context.aborted || !found.options.length) return null;
  return {
    from: position(doc, found.from.line, found.from.column), to: position(doc, found.to.line, found.to.column), validFor: /^[\w-]*$/,
    options: found.options.map((option, n) => ({
      label: option.label, apply: option.insert, detail: option.detail, boost: -n / 100, type: { key: "property", value: "enum", name: "variable" }[option.kind],
      info: [option.description, option.default && `${t("tables.default")}: ${option.default}`].filter(Boolean).join("\n") || undefined,
    })),
  };
};

const states = new Map(); // by name and language, so that each file keeps its own steps back

/** Forget what can be undone, such as when another person logs in. */
export const forget = () => states.clear();

/** The text of a file. `show`: a place to bring into view, {place: [from, to]} or {line, column, focus}, new
 * whenever it should. `latest` returns the text as it is now: while one types, `text` may be older. */
export function TextEditor({ name, text, latest, readOnly, problems, onInput, onCursor, show }) {
  const host = useRef(null);
  const view = useRef(null);
  const act = useRef({});
  act.current = { onInput, onCursor };
  const label = t("tables.text-of", { file: name });
  useEffect(() => {
    const shadow = host.current.shadowRoot ?? host.current.attachShadow({ mode: "open" });
    const key = `${name}:${label}:${readOnly}`;
    const made = states.get(key) ?? EditorState.create({
      doc: latest(),
      extensions: [basics(label, readOnly), history(), closeBrackets(), lintGutter(), autocompletion({ override: [completing(name)], activateOnTypingDelay: 200 })],
    });
    const editor = new EditorView({
      state: made, parent: shadow, root: shadow,
      dispatchTransactions: (transactions) => {
        editor.update(transactions);
        const own = transactions.some((item) => item.docChanged && !item.isUserEvent(FROM_OUTSIDE));
        if (own) act.current.onInput(editor.state.doc.toString());
        if (transactions.some((item) => item.selection) && editor.hasFocus) act.current.onCursor?.(editor.state.selection.main.head);
      },
    });
    view.current = editor;
    return () => { states.set(key, editor.state); editor.destroy(); };
  }, [name, label, readOnly]);
  useEffect(() => {
    const editor = view.current;
    const now = editor.state.doc.toString();
    const wanted = latest();
    if (now === wanted) return;
    let [from, end, fresh] = [0, now.length, wanted.length];
    while (from < Math.min(end, fresh) && now[from] === wanted[from]) from += 1;
    while (end > from && fresh > from && now[end - 1] === wanted[fresh - 1]) { end -= 1; fresh -= 1; }
    editor.dispatch({ changes: { from, to: end, insert: wanted.slice(from, fresh) }, annotations: Transaction.userEvent.of(FROM_OUTSIDE) });
  }, [text, name, label, readOnly]);
  useEffect(() => {
    const editor = view.current;
    editor.dispatch(setDiagnostics(editor.state, marks(editor.state.doc, problems)));
  }, [problems, name, label, readOnly]);
  useEffect(() => {
    if (!show) return;
    const editor = view.current;
    const [from, to] = show.line ? [position(editor.state.doc, show.line, show.column)] : show.place;
    const within = Math.min(from, editor.state.doc.length);
    editor.dispatch({ selection: { anchor: within, head: show.focus ? within : Math.min(to ?? within, editor.state.doc.length) }, effects: EditorView.scrollIntoView(within, { y: "center" }) });
    if (show.focus) editor.focus();
  }, [show]);
  return html`<div class="text-editor" dir="ltr" ref=${host}></div>`;
}

/** Two texts beside each other: theirs, and mine, which can be changed. */
export function Compare({ theirs, mine, onInput, labels }) {
  const host = useRef(null);
  useEffect(() => {
    const shadow = host.current.attachShadow({ mode: "open" });
    const merge = new MergeView({
      a: { doc: theirs, extensions: basics(labels[0], true) },
      b: { doc: mine, extensions: [basics(labels[1], false), history(), EditorView.updateListener.of((update) => { if (update.docChanged) onInput(update.state.doc.toString()); })] },
      parent: shadow, root: shadow, revertControls: "a-to-b", gutter: true, collapseUnchanged: { margin: 2, minSize: 6 },
      renderRevertControl: () => {
        const button = document.createElement("button");
        button.textContent = "⮕";
        button.title = t("tables.take-this");
        button.setAttribute("aria-label", t("tables.take-this"));
        return button;
      },
    });
    return () => merge.destroy();
  }, []);
  return html`<div class="text-compare" dir="ltr" ref=${host}></div>`;
}
