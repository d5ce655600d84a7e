"""Our own words in Chinese. A policy's texts and the engine's reasons stay as written."""

from __future__ import annotations

from collections.abc import Mapping

_ZH = {
    "stage.succeeded": "{pipeline}：{stage} 成功",
    "stage.failed": "{pipeline}：{stage} 失败",
    "stage.timed_out": "{pipeline}：{stage} 超时",
    "stage.rejected": "{pipeline}：{stage} 被拒绝",
    "stage.held": "{pipeline}：{stage} 已暂停，等待处理",
    "stage.resumed": "{pipeline}：{stage} 已继续",
    "run.succeeded": "{pipeline}：全部成功",
    "run.failed": "{pipeline}：失败",
    "run.cancelled": "{pipeline}：已取消",
    "approval.asked": "{pipeline}：是否批准 {stage}？",
    "approval.reminder": "{pipeline}：{stage} 仍在等待批准",
    "approval.timeout": "{pipeline}：{stage} 无人答复，已暂停",
    "approval.escalated": "{pipeline}：{stage} 仍无人决定，现升级通知",
    "approval.voted": "{pipeline}：{by} 已对 {stage} 表态",
    "approval.approved": "{pipeline}：{stage} 已由 {by} 批准",
    "approval.rejected": "{pipeline}：{stage} 已由 {by} 拒绝",
    "approval.closed": "{pipeline}：{stage} 的审批已失效（{outcome}）",
    "check.needs_attention": "{pipeline}：{stage} 的外部检查需要人工处理",
    "check.failed": "{pipeline}：{stage} 的外部检查失败，等待重新运行",
    "check.unknown": "{pipeline}：{stage} 的外部检查没有答复",
    "agent.prompt": "{pipeline}：智能体正在等待答复",
    "limit.reached": "{pipeline}：智能体已达到使用额度上限",
    "channel.off": "通知渠道 {channel} 已停用",
    "channel.failing": "通知渠道 {channel} 持续失败",
    "channel.recovered": "通知渠道 {channel} 已恢复",
    "database.restored": "数据库已从备份恢复：不会启动任何流水线，也不会输入任何内容",
    "test": "tmux-sentry 测试消息",
}


def title(language: str, event: str, english: str, names: Mapping[str, str]) -> str:
    """The title of an event in a language; the English one where there is no other, or a name is missing."""
    template = _ZH.get(event) if language == "zh" else None
    if template is None:
        return english
    try:
        return template.format_map(names)
    except KeyError:
        return english


def more(language: str, characters: int) -> str:
    """What is said where the keys of a question are cut: how much is missing, and where it is."""
    if language == "zh":
        return f"… 还有 {characters:,} 个字符：见审批页面或文件"
    return f"… {characters:,} more characters: see the page or the file"
