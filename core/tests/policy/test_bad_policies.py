"""Bad policies, and exactly what `check` says about each: line:column: where: what."""

# ruff: noqa: E501 - a case reads best whole

from __future__ import annotations

from collections.abc import Callable

import pytest

from tmux_sentry.policy.load import LoadResult

# The text before the interesting part, so that the line and the column can be counted.
IN_STAGE = "pipelines:\n  - name: p\n    match: {window_name: x}\n    stages:\n      - name: a\n        "
IN_PIPELINE = "pipelines:\n  - name: p\n    match: {window_name: x}\n    stages: [{name: a}]\n    "
AT_TOP = "pipelines: [{name: p, match: {host: h}, stages: [{name: a}]}]\n"
IN_MATCH = "pipelines:\n  - name: p\n    stages: [{name: a}]\n    match: "
STAGES = "pipelines:\n  - name: p\n    match: {window_name: x}\n    stages:\n"

CASES: dict[str, tuple[str, list[str]]] = {
    "an empty file": ("", ["1:1: top level: is empty"]),
    "only a comment": ("# nothing\n", ["1:1: top level: is empty"]),
    "a list at the top": ("- a\n", ["1:1: top level: must be a mapping (key: value), not a list"]),
    "text at the top": ("hello\n", ["1:1: top level: must be a mapping (key: value), not a single value"]),
    "a tab as indentation": ("pipelines:\n\t- name: a\n", ["2:1: yaml: a tab cannot indent YAML"]),
    "two documents": (AT_TOP + "---\nx: 1\n", ["2:1: yaml: a second document starts here"]),
    "an unclosed bracket": (
        "pipelines: [\n",
        ["2:1: yaml: while parsing a flow node: expected the node content, but found '<stream end>'"],
    ),
    "a colon in the wrong place": ("pipelines: a: b\n", ["1:13: yaml: a ':' makes no sense here"]),
    "an unknown alias": ("pipelines: *nobody\n", ["1:12: yaml: no anchor is named 'nobody'"]),
    "an alias of itself": (
        "pipelines: &a [*a]\n",
        ["1:12: pipelines[0][0]: is nested more than 50 levels deep (an alias of itself?)"],
    ),
    "a python tag": (
        AT_TOP.replace("name: p", "name: !!python/name:os.system x"),
        ["1:20: pipelines[0].name: the tag !!python/name:os.system is not allowed"],
    ),
    "a merge key": (IN_PIPELINE + "<<: {panes: one}\n", ["5:5: pipelines[0]: merge keys (<<) are not supported"]),
    "a duplicate key": (
        IN_PIPELINE + "match: {host: x}\n",
        ["5:5: pipelines[0].match: duplicate key 'match' (first in line 3)"],
    ),
    "a number as a key": (IN_PIPELINE + "1: x\n", ["5:5: pipelines[0]: a key must be text, not 1"]),
    "yes for true": (
        IN_STAGE + "require_approval: yes\n",
        ["6:27: pipelines[0].stages[0].require_approval: yes is ambiguous in YAML"],
    ),
    "Off for false": (
        IN_STAGE + "require_approval: Off\n",
        ["6:27: pipelines[0].stages[0].require_approval: Off is ambiguous in YAML"],
    ),
    "n as a key to press": (
        IN_STAGE + "actions_on_start: [{send_keys: {keys: [n]}}]\n",
        ["6:48: pipelines[0].stages[0].actions_on_start[0].send_keys.keys[0]: n is ambiguous in YAML"],
    ),
    "on as a key": (IN_PIPELINE + "on: push\n", ["5:5: pipelines[0].on: on as a key is a boolean in YAML"]),
    "a limit without a resume": (
        IN_STAGE + "on_limit: {message: go}\n",
        ["6:9: pipelines[0].stages[0].on_limit: 'resume' is missing"],
    ),
    "no try at all": (
        IN_STAGE + "on_limit: {resume: true, max_tries: 0}\n",
        ["6:45: pipelines[0].stages[0].on_limit.max_tries: must be at least 1, not 0"],
    ),
    "a message of two lines": (
        IN_STAGE + 'on_limit: {resume: true, message: "a\\nb"}\n',
        ["6:43: pipelines[0].stages[0].on_limit.message: contains the control character U+000A"],
    ),
    "a message from outside": (
        IN_PIPELINE + 'on_limit: {resume: true, message: "${pane.pane_title} ${vars.x}"}\n',
        [
            "5:39: pipelines[0].on_limit.message: ${pane.pane_title} comes from outside",
            "5:39: pipelines[0].on_limit.message: ${vars.x} is not defined",
        ],
    ),
    "a negative slack": (
        IN_STAGE + "on_limit: {resume: true, slack: -5s}\n",
        ["6:41: pipelines[0].stages[0].on_limit.slack: '-5s' is not a duration"],
    ),
    "a command that cannot match": (
        IN_STAGE + "on_prompt: {answer: approve, allow: [git status, 'git log | sh']}\n",
        [
            "6:58: pipelines[0].stages[0].on_prompt.allow[1]: no command can match this: it holds '|', which a shell or an eye may take for something else"
        ],
    ),
    "a list that allows anything": (
        IN_PIPELINE + "on_prompt: {answer: approve, allow: ['...']}\n",
        [
            "5:42: pipelines[0].on_prompt.allow[0]: no command can match this: '...' alone would allow anything: name the program"
        ],
    ),
    "a rule about dialogs without its list": (
        IN_STAGE + "on_prompt: {answer: approve}\n",
        ["6:9: pipelines[0].stages[0].on_prompt: 'allow' is missing"],
    ),
    "an answer that always holds": (
        IN_STAGE + "on_prompt: approve\n",
        ["6:20: pipelines[0].stages[0].on_prompt: 'approve' is not one of ask, notify, ignore"],
    ),
    "a NUL in text": (
        IN_STAGE + 'actions_on_start: [{send_keys: "a\\0b"}]\n',
        ["6:40: pipelines[0].stages[0].actions_on_start[0].send_keys: contains U+0000, which is not text"],
    ),
    "half a surrogate pair": (
        IN_STAGE + 'actions_on_start: [{send_keys: "a\\ud800"}]\n',
        ["6:40: pipelines[0].stages[0].actions_on_start[0].send_keys: contains U+D800, which is not text"],
    ),
    "an escape beyond Unicode": (
        'pipelines: "\\UFFFFFFFF"\n',
        ["1:15: yaml: cannot be read: an escape or directive here makes no sense"],
    ),
    "a huge number": (
        IN_STAGE + "retries: 99999999999999999999\n",
        ["6:18: pipelines[0].stages[0].retries: is not a number that can be used (too large?)"],
    ),
    "no pipelines": ("timezone: UTC\n", ["1:1: top level: 'pipelines' is missing"]),
    "an empty list of pipelines": ("pipelines: []\n", ["1:12: pipelines: is empty"]),
    "stages left empty": (
        "pipelines:\n  - name: p\n    match: {host: h}\n    stages:\n",
        ["4:12: pipelines[0].stages: must be a list, not nothing"],
    ),
    "no match and no stages": ("pipelines:\n  - name: p\n", ["2:5: pipelines[0]: 'match', 'stages' are missing"]),
    "a match of nothing": (
        IN_MATCH + "{}\n",
        ["4:12: pipelines[0].match: needs at least one pattern, or it would take every pane"],
    ),
    "an unknown key of match": (
        IN_MATCH + "{windowname: x}\n",
        ["4:13: pipelines[0].match.windowname: unknown key 'windowname'"],
    ),
    "an empty pattern": (
        IN_MATCH + '{window_name: ""}\n',
        ["4:26: pipelines[0].match.window_name: is an empty pattern, which matches everything"],
    ),
    "lookahead": (
        IN_MATCH + "{window_name: 'a(?!b)'}\n",
        ["4:26: pipelines[0].match.window_name: uses negative lookahead (?!...), which RE2 does not have"],
    ),
    "lookbehind": (
        IN_MATCH + "{window_name: '(?<=a)b'}\n",
        ["4:26: pipelines[0].match.window_name: uses lookbehind (?<=...), which RE2 does not have"],
    ),
    "a backreference": (
        IN_MATCH + "{window_name: '(a)\\1'}\n",
        ["4:26: pipelines[0].match.window_name: uses a backreference \\1, which RE2 does not have"],
    ),
    "a named backreference": (
        IN_MATCH + "{window_name: '(?P<q>a)(?P=q)'}\n",
        ["4:26: pipelines[0].match.window_name: uses a backreference (?P=name), which RE2 does not have"],
    ),
    "a possessive repetition": (
        IN_MATCH + "{window_name: 'a++'}\n",
        ["4:26: pipelines[0].match.window_name: uses a possessive repetition ++, which RE2 does not have"],
    ),
    "an atomic group": (
        IN_MATCH + "{window_name: '(?>a)'}\n",
        ["4:26: pipelines[0].match.window_name: uses an atomic group (?>...), which RE2 does not have"],
    ),
    "too many repetitions": (
        IN_MATCH + "{window_name: 'a{1001}'}\n",
        ["4:26: pipelines[0].match.window_name: uses the repetition {1001}; RE2 repeats at most 1000 times"],
    ),
    "an unclosed group": (
        IN_MATCH + "{window_name: '(a'}\n",
        ["4:26: pipelines[0].match.window_name: is not a regular expression: missing ): (a"],
    ),
    "a misspelt key of a stage": (
        IN_STAGE + "sucess_when: []\n",
        ["6:9: pipelines[0].stages[0].sucess_when: unknown key 'sucess_when'"],
    ),
    "a duration without a unit": (
        IN_STAGE + 'timeout: "90"\n',
        ["6:18: pipelines[0].stages[0].timeout: '90' is not a duration"],
    ),
    "a duration in words": (
        IN_STAGE + "timeout: soon\n",
        ["6:18: pipelines[0].stages[0].timeout: 'soon' is not a duration"],
    ),
    "a timeout of nothing": (
        IN_STAGE + "timeout: 0\n",
        ["6:18: pipelines[0].stages[0].timeout: must be longer than nothing"],
    ),
    "a negative delay": (
        IN_STAGE + "retry_delay: -1\n",
        ["6:22: pipelines[0].stages[0].retry_delay: a duration cannot be negative"],
    ),
    "a sexagesimal duration": (
        IN_STAGE + "timeout: 1:30\n",
        ["6:18: pipelines[0].stages[0].timeout: '1:30' is not a duration"],
    ),
    "retries as text": (
        IN_STAGE + "retries: three\n",
        ["6:18: pipelines[0].stages[0].retries: must be a whole number, not 'three'"],
    ),
    "an unknown trust": (
        IN_STAGE + "min_trust: printd\n",
        ["6:20: pipelines[0].stages[0].min_trust: 'printd' is not one of guessed, printed, signed, emitted"],
    ),
    "confidence above one": (
        IN_STAGE + "min_confidence: 1.5\n",
        ["6:25: pipelines[0].stages[0].min_confidence: must be at most 1, not 1.5"],
    ),
    "two kinds in one trigger": (
        IN_STAGE + "triggers: [{manual: true, on_state: idle}]\n",
        [
            "6:20: pipelines[0].stages[0].triggers[0]: has several kinds; write one kind a list item (any one of the items makes the stage ready)"
        ],
    ),
    "an unknown bare trigger": (
        IN_STAGE + "triggers: [manually]\n",
        ["6:20: pipelines[0].stages[0].triggers[0]: 'manually' is not manual"],
    ),
    "an unknown agent state": (
        IN_STAGE + "triggers: [{on_state: bored}]\n",
        [
            "6:31: pipelines[0].stages[0].triggers[0].on_state: 'bored' is not one of starting, working, waiting, idle, limited, error, exited, unknown"
        ],
    ),
    "an unknown stage": (
        IN_STAGE + "triggers: [{after_stage_success: b}]\n",
        ["6:42: pipelines[0].stages[0].triggers[0].after_stage_success: no stage is named 'b'"],
    ),
    "a stage that waits for itself": (
        IN_STAGE + "triggers: [{after_stage_success: a}]\n",
        ["6:42: pipelines[0].stages[0].triggers[0].after_stage_success: stage 'a' waits for itself"],
    ),
    "a circle": (
        STAGES
        + "      - {name: a, triggers: [{after_stage_success: c}]}\n      - {name: b, triggers: [{after_stage_success: a}]}\n      - {name: c, triggers: [{after_stage_failure: [b]}]}\n",
        [
            "5:52: pipelines[0].stages[0].triggers[0].after_stage_success: stages wait for each other in a circle: a -> c -> b -> a"
        ],
    ),
    "a stage that can never start": (
        STAGES
        + "      - name: a\n      - {name: b, triggers: [{after_stage_failure: a}]}\n      - name: c\n        triggers: [{after_stage_success: [a, b]}]\n",
        [
            "8:9: pipelines[0].stages[2].triggers: stage 'c' can never start: a stage before it would have to succeed and to fail"
        ],
    ),
    "two stages of one name": (
        STAGES + "      - name: a\n      - name: a\n",
        ["6:15: pipelines[0].stages[1].name: a second stage is named 'a' (first in line 5)"],
    ),
    "two pipelines of one name": (
        "pipelines:\n  - {name: p, match: {host: h}, stages: [{name: a}]}\n  - {name: p, match: {host: h}, stages: [{name: a}]}\n",
        ["3:12: pipelines[1].name: a second pipeline is named 'p' (first in line 2)"],
    ),
    "an unknown action": (
        IN_STAGE + "actions_on_start: [{send_key: x}]\n",
        ["6:29: pipelines[0].stages[0].actions_on_start[0].send_key: unknown key 'send_key'"],
    ),
    "an action that is a word": (
        IN_STAGE + "actions_on_start: [ls]\n",
        ["6:28: pipelines[0].stages[0].actions_on_start[0]: must be a mapping, not 'ls'"],
    ),
    "a control character in text": (
        IN_STAGE + 'actions_on_start: [{send_keys: "a\\x03"}]\n',
        ["6:40: pipelines[0].stages[0].actions_on_start[0].send_keys: contains the control character U+0003"],
    ),
    "text and keys": (
        IN_STAGE + "actions_on_start: [{send_keys: {text: a, keys: [Enter]}}]\n",
        ["6:29: pipelines[0].stages[0].actions_on_start[0].send_keys: needs either text or keys"],
    ),
    "an unknown key name": (
        IN_STAGE + "actions_on_start: [{send_keys: {keys: [enter, Ctrl-c, C-c, é, C-]}}]\n",
        [
            "6:48: pipelines[0].stages[0].actions_on_start[0].send_keys.keys[0]: 'enter' is not a key of tmux",
            "6:55: pipelines[0].stages[0].actions_on_start[0].send_keys.keys[1]: 'Ctrl-c' is not a key of tmux",
            "6:71: pipelines[0].stages[0].actions_on_start[0].send_keys.keys[4]: 'C-' is not a key of tmux",
        ],
    ),
    "enter beside keys": (
        IN_STAGE + "actions_on_start: [{send_keys: {keys: [Up], enter: false}}]\n",
        ["6:53: pipelines[0].stages[0].actions_on_start[0].send_keys.enter: 'enter' goes with text, not with keys"],
    ),
    "an unknown variable": (
        IN_STAGE + "actions_on_start: [{send_keys: 'echo ${HOME} ${run.id}'}]\n",
        ["6:40: pipelines[0].stages[0].actions_on_start[0].send_keys: unknown variable ${HOME}"],
    ),
    "an undeclared variable of ours": (
        IN_STAGE + "actions_on_start: [{send_keys: '${vars.x} ${env.TOKEN}'}]\n",
        [
            "6:40: pipelines[0].stages[0].actions_on_start[0].send_keys: ${env.TOKEN} is not allowed",
            "6:40: pipelines[0].stages[0].actions_on_start[0].send_keys: ${vars.x} is not defined",
        ],
    ),
    "a pane's name typed": (
        IN_STAGE + "actions_on_start: [{send_keys: 'echo ${pane.window_name}'}]\n",
        ["6:40: pipelines[0].stages[0].actions_on_start[0].send_keys: ${pane.window_name} comes from outside"],
    ),
    "an unknown channel": (
        IN_STAGE + "actions_on_start: [{notify: {message: m, channels: [wechat_work, stdotu, zzzzz]}}]\n",
        [
            "6:61: pipelines[0].stages[0].actions_on_start[0].notify.channels[0]: unknown channel 'wechat_work'",
            "6:74: pipelines[0].stages[0].actions_on_start[0].notify.channels[1]: unknown channel 'stdotu'",
            "6:82: pipelines[0].stages[0].actions_on_start[0].notify.channels[2]: unknown channel 'zzzzz'",
        ],
    ),
    "an unknown check": (
        IN_STAGE + "actions_on_start: [{external_check: {type: jenkins}}]\n",
        ["6:52: pipelines[0].stages[0].actions_on_start[0].external_check.type: unknown check type 'jenkins'"],
    ),
    "a check without its type": (
        IN_STAGE + "actions_on_start: [{external_check: {repository: a/b}}]\n",
        ["6:29: pipelines[0].stages[0].actions_on_start[0].external_check: 'type' is missing"],
    ),
    "a plugin's own rules": (
        IN_STAGE
        + "actions_on_start: [{external_check: {type: github_action, repository: nope, branch: 1, brnach: x}}]\n",
        [
            "6:79: pipelines[0].stages[0].actions_on_start[0].external_check.repository: 'nope' does not match ^[^/]+/[^/]+$",
            "6:93: pipelines[0].stages[0].actions_on_start[0].external_check.branch: must be text, not 1",
            "6:96: pipelines[0].stages[0].actions_on_start[0].external_check.brnach: unknown key 'brnach'",
        ],
    ),
    "a plugin's missing key": (
        IN_STAGE + "actions_on_start: [{external_check: {type: github_action}}]\n",
        ["6:29: pipelines[0].stages[0].actions_on_start[0].external_check: 'repository' is missing"],
    ),
    "a status without a check": (
        IN_STAGE + "success_when: [{external_status: success}]\n",
        [
            "6:25: pipelines[0].stages[0].success_when[0].external_status: the stage has no external_check that could say so"
        ],
    ),
    "an exit code out of range": (
        IN_STAGE + "success_when: [{exit_code: [0, 256]}]\n",
        ["6:40: pipelines[0].stages[0].success_when[0].exit_code[1]: must be at most 255, not 256"],
    ),
    "a pattern of another engine that is none": (
        IN_STAGE + "success_when: [{log_regex: {pattern: '(', engine: regex}}]\n",
        [
            "6:36: pipelines[0].stages[0].success_when[0].log_regex: is not a regular expression: missing ) at position 1"
        ],
    ),
    "lookaround without the engine for it": (
        IN_STAGE + "success_when: [{log_regex: {pattern: 'a(?=b)'}}]\n",
        ["6:36: pipelines[0].stages[0].success_when[0].log_regex: uses lookahead (?=...), which RE2 does not have"],
    ),
    "an engine that does not exist": (
        IN_STAGE + "success_when: [{log_regex: {pattern: a, engine: perl}}]\n",
        ["6:57: pipelines[0].stages[0].success_when[0].log_regex.engine: 'perl' is not one of re2, regex"],
    ),
    "an engine without a pattern": (
        IN_STAGE + "success_when: [{log_regex: {engine: regex}}]\n",
        ["6:25: pipelines[0].stages[0].success_when[0].log_regex: 'pattern' is missing"],
    ),
    "a bad pattern deep inside": (
        IN_STAGE + "failure_when: [{any_of: [{not: {log_regex: '('}}]}]\n",
        [
            "6:52: pipelines[0].stages[0].failure_when[0].any_of[0].not.log_regex: is not a regular expression: missing ): ("
        ],
    ),
    "conditions too deep": (
        IN_STAGE + "success_when: [" + "{any_of: [" * 8 + "{idle_for: 1s}" + "]}" * 8 + "]\n",
        [
            "6:105: pipelines[0].stages[0].success_when[0].any_of[0].any_of[0].any_of[0].any_of[0].any_of[0].any_of[0].any_of[0].any_of[0].idle_for: conditions nest at most 8 deep"
        ],
    ),
    "more voices than there are people": (
        IN_STAGE + "require_approval: {approvers: [ann@a.b, Ann@A.B], required: 2}\n",
        ["6:69: pipelines[0].stages[0].require_approval.required: 2 different people must say yes, and only 1 may"],
    ),
    "approvers that are nobody": (
        IN_STAGE + "require_approval: {approvers: []}\n",
        ["6:39: pipelines[0].stages[0].require_approval.approvers: is empty"],
    ),
    "approval by timeout": (
        IN_STAGE + "require_approval: {on_timeout: approve}\n",
        ["6:40: pipelines[0].stages[0].require_approval.on_timeout: 'approve' is not one of hold, reject"],
    ),
    "an unknown timezone": (
        AT_TOP + "timezone: Mars/Olympus\n",
        ["2:11: timezone: no timezone is named 'Mars/Olympus'"],
    ),
    "two level words": (
        AT_TOP + "notifications: [{channels: [stdout], level: error, min_level: error}]\n",
        ["2:38: notifications[0].level: level and min_level mean the same; write one of them"],
    ),
    "impossible quiet hours": (
        AT_TOP + "notifications: [{channels: [stdout], quiet_hours: 25:00-07:00}]\n",
        ["2:51: notifications[0].quiet_hours: '25:00-07:00' is not a range such as 22:00-07:00"],
    ),
    "a required plugin that is not there": (
        AT_TOP + "required_plugins: [check_github, check_docker]\n",
        ["2:34: required_plugins[1]: the required plugin 'check_docker' is not there"],
    ),
    "a damaged encrypted value": (
        IN_PIPELINE + "vars: {token: 'enc:v1:k:AAAA'}\n",
        [
            "5:19: pipelines[0].vars.token: cannot be decrypted: it is cut off or damaged, and no"
            " enc:v1:<key id>:<base64url> any more"
        ],
    ),
    "an encrypted name": (
        "pipelines: [{name: 'enc:v1:k:AAAA', match: {window_name: x}, stages: [{name: a}]}]\n",
        ["1:20: pipelines[0].name: a name cannot be encrypted"],
    ),
    "a variable's name with a dash": (
        IN_PIPELINE + "vars: {a-b: x}\n",
        ["5:12: pipelines[0].vars.a-b: 'a-b' is not a name of letters, digits and _"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_a_bad_policy_is_refused_with_the_place_and_the_reason(
    load: Callable[..., LoadResult], text: str, expected: list[str]
) -> None:
    result = load(text)
    assert [str(error).split("p1.yaml:", 1)[1] for error in result.errors] == expected
    assert result.policy is None


HELP = {
    "yes for true": "write true or false, or quote it",
    "a misspelt key of a stage": "did you mean 'success_when'?",
    "lookahead": "write a second condition inside not: instead",
    "an unknown variable": "to write it literally: $${HOME}",
    "an unknown check": "no installed plugin provides it; such plugins are named tmux-sentry-check-<name>",
    "a required plugin that is not there": "it is not installed: pip install tmux-sentry-check-docker",
    "a control character in text": "press keys with keys: [Tab, C-c, Escape]",
    "a duration without a unit": "write 90s, or the number without quotes",
}


@pytest.mark.parametrize(("name", "help"), HELP.items(), ids=HELP)
def test_the_help_says_what_to_write_instead(load: Callable[..., LoadResult], name: str, help: str) -> None:
    assert load(CASES[name][0]).errors[0].help == help
