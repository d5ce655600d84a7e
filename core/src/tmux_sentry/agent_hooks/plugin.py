"""Our plugin for opencode, a file of its own in its plugin folder."""

from __future__ import annotations

import json

from tmux_sentry.agent_hooks.agents import AGENTS
from tmux_sentry.agent_hooks.commands import program_command, shell_command

#: The beginning of the file, by which it is known to be ours.
MARK = "// tmux-sentry hooks"

# Reports run one after the other and never hold opencode up. A helper session's end is not the end of the turn, so of
# sessions that have a parent only the questions count.
_SOURCE = """\
%(mark)s: made by `tmux-sentry hooks install`, taken away by `tmux-sentry hooks remove`
import { spawn } from "node:child_process"

const COMMANDS = %(commands)s
const helpers = new Set()
let last = Promise.resolve()

const report = (command, event) =>
  new Promise((done) => {
    const child = spawn("/bin/sh", ["-c", command], { stdio: ["pipe", "ignore", "ignore"] })
    child.on("error", done)
    child.on("close", done)
    child.stdin.on("error", () => {})
    child.stdin.end(JSON.stringify(event))
  }).catch(() => {})

export const TmuxSentry = async () => ({
  event: async ({ event }) => {
    const info = event.properties?.info
    if (event.type.startsWith("session.") && info?.parentID) helpers.add(info.id)
    const which = event.properties?.status?.type
    const command = COMMANDS[which ? `${event.type}:${which}` : event.type]
    const helper = event.type.startsWith("session.") && helpers.has(event.properties?.sessionID)
    if (command && !helper && process.env.TMUX_PANE) last = last.then(() => report(command, event))
  },
})
"""


def source(*, shell: bool = False) -> str:
    """The plugin's text, with the command of this installation or, for `shell`, without the program."""
    commands = {
        hook.event: shell_command("opencode", hook.event, hook.plain) if shell else program_command("opencode")
        for hook in AGENTS["opencode"].hooks
    }
    return _SOURCE % {"mark": MARK, "commands": json.dumps(commands, indent=2)}
