"""The pages' own words, in the language that the browser asks for. English is the key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Language = Literal["en", "zh"]
Say = Callable[..., str]

_CHINESE = {
    "Approve {stage}?": "批准 {stage}？",
    "Approval of {stage}": "{stage} 的审批",
    "Stage": "阶段",
    "{stage}, attempt {number}": "{stage}，第 {number} 次",
    "Where": "位置",
    "{pane} on {host}": "{host} 上的 {pane}",
    "Why": "原因",
    "low": "低",
    "normal": "普通",
    "high": "高",
    "High risk": "高风险",
    "Low risk": "低风险",
    "Normal risk": "普通风险",
    "Read what will be typed with special care.": "请特别仔细地阅读将要输入的内容。",
    "What will be typed": "将要输入的内容",
    "What a yes types": "批准后将输入的内容",
    "The agent asks": "代理的询问",
    "These are the words of the agent's own dialog: read the command, not what is said about it.": (
        "以上是代理自己的对话框内容：请看命令本身，而不是它的说法。"
    ),
    "A backslash writes what cannot be seen.": "反斜杠表示不可见的字符。",
    "Send {number} of {all}": "第 {number} 次发送，共 {all} 次",
    "Nothing is typed.": "不会输入任何内容。",
    "Not everything is shown: {count} characters are missing.": "内容未完全显示：还有 {count} 个字符。",
    "It is too long for a page, so it can only be approved at the terminal:":
        "内容过长，只能在终端批准：",
    "Time left": "剩余时间",
    "until": "截止",
    "It stays open until somebody decides.": "在有人决定之前一直有效。",
    "It stays open until the dialog is gone.": "在该对话框消失之前一直有效。",
    "Then the stage is held, and an answer still counts.": "届时该阶段将被搁置，但仍可回答。",
    "Its time is over.": "已过期。",
    "Asked": "请求时间",
    "Needed": "所需人数",
    "{yes} of {required} have said yes": "{required} 人中已有 {yes} 人同意",
    "Who may answer": "可以回答的人",
    "anybody who is asked": "任何被询问的人",
    "You answer as": "您的身份",
    "Answers so far": "已有的回答",
    "Nobody has answered yet.": "还没有人回答。",
    "yes": "同意",
    "no": "拒绝",
    "did not count": "未计入",
    "{count} older answers are not shown.": "还有 {count} 条较早的回答未显示。",
    "The screen now": "当前屏幕",
    "The last lines of the pane, when this page was made. They can hold anything that a program has printed.":
        "生成此页面时窗格的最后几行，其中可能包含程序输出的任何内容。",
    "Nothing is known of the screen.": "没有屏幕内容。",
    "Your answer": "您的回答",
    "Code": "验证码",
    "Six digits; they stand beside the link in the message.": "六位数字，位于消息中的链接旁边。",
    "Comment": "备注",
    "optional, at most 1000 characters": "可选，最多 1000 字",
    "Approve": "批准",
    "Reject": "拒绝",
    "No answer counts any more": "不再接受回答",
    "You are not one of the approvers": "您不在审批人之列",
    "An answer under the name {you} does not count.": "以 {you} 的名义作出的回答不计入。",
    "Nothing was decided": "尚未作出决定",
    "Press Approve or Reject.": "请按“批准”或“拒绝”。",
    "Approved": "已批准",
    "Rejected": "已拒绝",
    "Your answer was noted": "您的回答已记录",
    "This answer is recorded already": "此回答此前已记录",
    "It is recorded under the name {you}.": "以 {you} 的名义记录。",
    "Your answer did not count": "您的回答未计入",
    "This link opens nothing": "此链接无效",
    "This link is too old": "此链接已过期",
    "A fresh one can be sent the way this one came.": "可以通过原来的方式发送一个新链接。",
    "Send a fresh link": "发送新链接",
    "Look at your messages": "请查看您的消息",
    "Log in as {who}?": "以 {who} 的身份登录？",
    "The link works once. This browser can then answer every request, for up to twelve hours.":
        "链接只能使用一次。此后该浏览器在最多十二小时内可以回答所有请求。",
    "Log in": "登录",
    "Log out": "退出登录",
    "You are logged out": "您已退出登录",
    "You are not logged in": "您尚未登录",
    "A browser that is logged in has its list at the address to which the login led.":
        "已登录的浏览器，其列表位于登录后转到的地址。",
    "To log in, type this on the machine that tmux-sentry runs on, and open the address that it prints:":
        "如需登录，请在运行 tmux-sentry 的机器上输入以下命令，并打开它显示的地址：",
    "{count} requests wait": "有 {count} 个请求在等待",
    "1 request waits": "有 1 个请求在等待",
    "Nothing waits": "没有等待的请求",
    "Requests that wait": "等待中的请求",
    "Page {page} of {pages}": "第 {page} 页，共 {pages} 页",
    "Next": "下一页",
    "Previous": "上一页",
    "types nothing": "不输入任何内容",
    "and {count} more": "另有 {count} 项",
    "Pages": "分页",
    "tmux-sentry is busy or stopping": "tmux-sentry 正忙或正在停止",
    "Nothing was decided by this page. Try again, or look at the terminal:":
        "此页面未作出任何决定。请重试，或在终端查看：",
    "It is not known whether your answer was taken. Open the page again, or look at the terminal:":
        "无法确定您的回答是否已被接收。请重新打开页面，或在终端查看：",
    "What waits is seen at the terminal:": "可在终端查看等待中的请求：",
    "Open the link again": "请重新打开链接",
    "This form is too old or does not come from a page of this browser. Nothing was decided.":
        "此表单已过期或不是来自此浏览器的页面。未作出任何决定。",
    "Too many links that open nothing": "无效链接过多",
    "Wait {seconds} seconds. Links that are good work meanwhile.": "请等待 {seconds} 秒。有效的链接不受影响。",
    "There is no such page": "没有此页面",
    "The page is another one, or its address was cut on its way.": "地址有误，或在传送中被截断。",
    "This cannot be done here": "此处不支持该操作",
    "This form cannot be read": "无法读取此表单",
    "{days} d {hours} h": "{days} 天 {hours} 小时",
    "{hours} h {minutes} min": "{hours} 小时 {minutes} 分",
    "{minutes} min": "{minutes} 分钟",
    "less than a minute": "不到一分钟",
}  # fmt: skip


def language(header: str) -> Language:
    """The one that an Accept-Language header likes best, of those that are here."""
    best: tuple[float, Language] = (0.0, "en")
    for part in header[:500].split(","):
        name, _, weight = part.strip().lower().partition(";")
        word = name.split("-", 1)[0].strip()
        try:
            q = float(weight.strip().removeprefix("q=")) if weight.strip() else 1.0
        except ValueError:
            continue
        if word in ("en", "zh") and q > best[0]:
            best = (q, "zh" if word == "zh" else "en")
    return best[1]


def speaker(language: Language) -> Say:
    """`say("Page {page} of {pages}", page=1, pages=2)` in a language; a sentence without a translation is English."""

    def say(text: str, **values: object) -> str:
        return (_CHINESE.get(text, text) if language == "zh" else text).format(**values)

    return say


def left(seconds: float, say: Say) -> str:
    """How long that is, for people."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return say("less than a minute")
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return say("{days} d {hours} h", days=days, hours=hours)
    return (
        say("{hours} h {minutes} min", hours=hours, minutes=minutes) if hours else say("{minutes} min", minutes=minutes)
    )
