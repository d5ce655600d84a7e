"""What the core and its plugins say to each other: frozen records and Protocols.

Everything here is public API (`from tmux_sentry import Signal, Parser, ...`).
It imports the standard library only, so a plugin can be imported, tested and
type-checked without starting anything.
"""

from __future__ import annotations

from tmux_sentry.contracts.approvals import (
    ApprovalBackend,
    ApprovalDesk,
    ApprovalRequest,
    ApprovalView,
    Complaint,
    Decision,
    LinkRefused,
    Vote,
    VoteAnswer,
)
from tmux_sentry.contracts.checks import Checker, CheckRequest, CheckResult, CheckStatus
from tmux_sentry.contracts.dialogs import Choice, Dialog, Meaning, dialog_fingerprint
from tmux_sentry.contracts.explaining import Explaining, RuleTrace
from tmux_sentry.contracts.hosts import Completed, HostAccess, Pipe
from tmux_sentry.contracts.limits import Limit
from tmux_sentry.contracts.messages import Delivery, DeliveryResult, Level, Message, Notifier, Rate
from tmux_sentry.contracts.panes import (
    AgentState,
    Emitted,
    Lines,
    Observation,
    Osc,
    PaneClosed,
    PaneFacts,
    PaneIdentity,
    Screen,
    TextSource,
    Title,
)
from tmux_sentry.contracts.plugins import (
    AnyPlugin,
    ApprovalPlugin,
    CheckerPlugin,
    ConfigSchema,
    NotifierPlugin,
    ParserPlugin,
    PluginContext,
    Setting,
)
from tmux_sentry.contracts.signals import Origin, Parser, Signal, SignalKind, Signature, Trust

__all__ = [
    "AgentState",
    "AnyPlugin",
    "ApprovalBackend",
    "ApprovalDesk",
    "ApprovalPlugin",
    "ApprovalRequest",
    "ApprovalView",
    "CheckRequest",
    "CheckResult",
    "CheckStatus",
    "Checker",
    "CheckerPlugin",
    "Choice",
    "Complaint",
    "Completed",
    "ConfigSchema",
    "Decision",
    "Delivery",
    "DeliveryResult",
    "Dialog",
    "Emitted",
    "Explaining",
    "HostAccess",
    "Level",
    "Limit",
    "Lines",
    "LinkRefused",
    "Meaning",
    "Message",
    "Notifier",
    "NotifierPlugin",
    "Observation",
    "Origin",
    "Osc",
    "PaneClosed",
    "PaneFacts",
    "PaneIdentity",
    "Parser",
    "ParserPlugin",
    "Pipe",
    "PluginContext",
    "Rate",
    "RuleTrace",
    "Screen",
    "Setting",
    "Signal",
    "SignalKind",
    "Signature",
    "TextSource",
    "Title",
    "Trust",
    "Vote",
    "VoteAnswer",
    "dialog_fingerprint",
]
