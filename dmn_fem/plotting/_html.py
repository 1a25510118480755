"""Elements of a self-contained HTML page: text is escaped, pictures are inlined."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from matplotlib.figure import Figure

_STYLE = """
:root { color-scheme: light dark; --text: #1c1f23; --faint: #5c6570; --line: #d9dde2;
  --back: #ffffff; --panel: #f4f6f8; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e7ea; --faint: #9aa4af; --line: #3a4149;
  --back: #16191d; --panel: #20252b; } }
body { margin: 0 auto; max-width: 74rem; padding: 1.5rem; background: var(--back);
  color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
p, figcaption { max-width: 60rem; } .faint, figcaption { color: var(--faint); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 0.8rem 0; font-size: 0.9rem; }
th, td { padding: 0.2rem 0.8rem; border-bottom: 1px solid var(--line); text-align: left;
  font-variant-numeric: tabular-nums; vertical-align: top; }
th { background: var(--panel); font-weight: 600; }
td { overflow-wrap: anywhere; }
figure { margin: 1rem 0; }
img { max-width: 100%; height: auto; background: #ffffff; border-radius: 6px; }
summary { cursor: pointer; padding: 0.3rem 0; }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """The page of these elements."""
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
    )
    return head + "\n".join(parts) + "\n</body>\n</html>\n"


def heading(text: str, level: int = 2) -> str:
    """A heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def paragraph(text: str) -> str:
    """A paragraph."""
    return f"<p>{escape(text)}</p>"


def not_recorded(what: str) -> str:
    """That something is not there, said in its place."""
    return f'<p class="faint">{escape(what)}: not recorded.</p>'


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; it scrolls by itself where it is too wide."""
    top = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(str(entry))}</td>" for entry in row) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide"><table>\n<thead><tr>{top}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def tree_of_values(values: Mapping[str, Any]) -> str:
    """Nested values as a table of dotted names."""
    return table(("entry", "value"), _flat(values, ""))


def _flat(values: Mapping[str, Any], prefix: str) -> Iterable[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
            yield from _flat(
                {f"{name}.{n}": each for n, each in enumerate(value, 1) if each}, prefix
            )
        elif isinstance(value, list | tuple):
            yield f"{prefix}{name}", ", ".join(_text(each) for each in value)
        else:
            yield f"{prefix}{name}", _text(value)


def _text(value: object) -> str:
    """Numbers to six digits, all else as it is."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def picture(figure: Figure, caption: str, kind: str = "svg") -> str:
    """A figure of Matplotlib, ``svg`` (lines) or ``png`` (many shapes), with its caption."""
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, dpi=110)
    mime = {"svg": "image/svg+xml", "png": "image/png"}[kind]
    data = base64.b64encode(stream.getvalue()).decode()
    text = escape(caption)
    return (
        f'<figure><img alt="{text}" src="data:{mime};base64,{data}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def folded(summary: str, content: str, *, unfolded: bool = False) -> str:
    """An element that opens when its summary is clicked."""
    state = " open" if unfolded else ""
    return f"<details{state}><summary>{escape(summary)}</summary>\n{content}\n</details>"
