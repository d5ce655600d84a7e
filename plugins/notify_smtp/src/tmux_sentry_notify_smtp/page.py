"""The HTML part: one column that a phone can show, without anything to load, and no link but our own."""

from __future__ import annotations

from tmux_sentry import Layout, Level, Message, for_html, layout

_COLOURS = {
    Level.DEBUG: "#6b7280",
    Level.INFO: "#2563eb",
    Level.WARNING: "#b45309",
    Level.APPROVAL: "#7c3aed",
    Level.ERROR: "#b91c1c",
    Level.CRITICAL: "#7f1d1d",
}
_FONT = "font-family:system-ui,-apple-system,'Segoe UI',sans-serif;font-size:16px;line-height:1.45;color:#111827"
# Long lines of a terminal break instead of making the whole mail as wide as they are.
_WRAP = "white-space:pre-wrap;overflow-wrap:anywhere"
_PRE = f"{_WRAP};font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px;background:#f3f4f6;padding:10px"
_FAINT = "color:#6b7280"


#: Characters of one part; mail.py has cut them before.
_LONGEST = 200_000


def escape(text: str) -> str:
    return for_html(text, _LONGEST)


def page(message: Message) -> str:
    """`message` as HTML. Everything that comes from it is escaped, and only the page of an approval is a link."""
    parts = layout(message)
    colour = _COLOURS.get(message.level, _COLOURS[Level.INFO])
    rows = "".join(
        f'<tr><td style="{_FAINT};padding-right:12px;vertical-align:top">{escape(label)}</td>'
        f'<td style="{_WRAP}">{escape(value)}</td></tr>'
        for label, value in parts.fields
    )
    blocks = [
        f'<p style="margin:0;color:{colour};font-weight:600">{escape(parts.level)}</p>',
        f'<h1 style="margin:0 0 12px;font-size:20px;overflow-wrap:anywhere">{escape(parts.title)}</h1>',
        f'<p style="{_WRAP}">{escape(parts.text)}</p>' if parts.text else "",
        f'<table cellpadding="2" style="border-collapse:collapse">{rows}</table>' if rows else "",
        _page(parts),
        _block(parts.commands_label, "\n".join(parts.commands)),
        _block(parts.output_label, parts.output),
        f'<p style="{_FAINT};font-size:13px">{escape(parts.footer)}</p>',
    ]
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(message.language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(parts.title)}</title></head>\n"
        f'<body style="margin:0;padding:16px;{_FONT}">'
        f'<div style="max-width:640px;border-left:4px solid {colour};padding-left:14px">\n'
        + "\n".join(block for block in blocks if block)
        + "\n</div></body></html>\n"
    )


def _page(parts: Layout) -> str:
    """Our own link, to be tapped, and below it the code that the page asks for."""
    if not parts.link:
        return ""
    link = f'<a href="{escape(parts.link)}">{escape(parts.link)}</a>'
    code = f"<br>{escape(parts.code)}" if parts.code else ""
    return f'{_label(parts.answer_label)}<p style="margin:0;overflow-wrap:anywhere">{link}{code}</p>'


def _block(label: str, text: str) -> str:
    return f'{_label(label)}<pre style="margin:0;{_PRE}">{escape(text)}</pre>' if text else ""


def _label(label: str) -> str:
    return f'<p style="margin:12px 0 4px;{_FAINT}">{escape(label)}</p>'
