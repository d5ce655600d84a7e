"""GitHub's API for Actions as a server on loopback: its wire format, its ETags and limits, and its bad days.

    with GitHub(token="t") as github:
        run = github.add_run(workflow="deploy.yml", title="Deploy")
        github.set(run, status="completed", conclusion="failure")

`github.url` is for GITHUB_API_URL. Log files are on a second server, as at GitHub. No pytest in here.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tmux_sentry.testing.provider import Provider, Received, Reply

PREFIX = "/api/v3"
#: Of X-GitHub-Api-Version, the default first: https://docs.github.com/en/rest/about-the-rest-api/api-versions
VERSIONS = ("2022-11-28", "2026-03-10")
FILTERS = {"actor", "branch", "event", "status", "created", "head_sha", "check_suite_id", "exclude_pull_requests"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What to do instead of answering: for requests whose method and path the pattern finds, `times` times.

    `acts`: the request has its effect all the same, and only its answer is lost or wrong.
    """

    pattern: str
    reply: Reply
    times: int = 1
    acts: bool = False


@dataclass(slots=True)
class Rate:
    """The hourly requests; `remaining` None sends no headers, as a GitHub Enterprise Server."""

    remaining: int | None = 5000
    reset: float = 0.0  # epoch seconds by GitHub's clock
    used: int = 0


@dataclass(slots=True)
class GitHub:
    """`clock` gives epoch seconds of the client; `skew` is how many seconds GitHub's clock shows more.

    `dispatching` is how dispatches are answered in version 2022-11-28: "asked" (200 with details if asked for, else
    204: since February 2026), "old" (204, and 422 for the parameter), "silent" (204, whatever is asked for). Version
    2026-03-10 answers 200 with details whatever is asked for. `appears`: whether a dispatched run is in the lists at
    once. `versions` are those that it knows, `speaks` the one it answers in ("": as the header says).
    """

    token: str = ""
    repository: str = "owner/name"
    private: bool = False
    clock: Callable[[], float] = lambda: 1_700_000_000.0
    skew: float | None = 0.0  # None: no Date header
    dispatching: str = "asked"
    versions: tuple[str, ...] = VERSIONS
    speaks: str = ""
    appears: bool = True
    etags: bool = True
    page: int | None = None  # rows a page, less than what is asked for
    rate: Rate = field(default_factory=Rate)
    faults: list[Fault] = field(default_factory=list)
    workflows: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)  # oldest first
    jobs: dict[tuple[int, int], list[dict[str, Any]]] = field(default_factory=dict)
    pending: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    logs: dict[int, bytes] = field(default_factory=dict)
    moved_to: str = ""  # the repository's new name: the old one redirects
    log_ranges: bool = True
    dispatched: list[dict[str, Any]] = field(default_factory=list)  # what took effect
    _lock: Any = field(default_factory=threading.RLock)
    _heard: Any = None
    _api: Any = None
    _blob: Any = None

    def __post_init__(self) -> None:
        self._api, self._blob = Provider(self._answer), Provider(self._log)
        self._heard = threading.Condition(self._lock)
        self.add_workflow("deploy.yml", "Deploy")

    def __enter__(self) -> GitHub:
        self._api.__enter__()
        self._blob.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._api.__exit__()
        self._blob.__exit__()

    # ------------------------------------------------------------------ what it has

    @property
    def url(self) -> str:
        """For GITHUB_API_URL."""
        return str(self._api.url) + PREFIX

    @property
    def requests(self) -> list[Received]:
        """What the API got, in order."""
        return list(self._api.requests)

    @property
    def log_requests(self) -> list[Received]:
        """What the server with the log files got."""
        return list(self._blob.requests)

    def paths(self, method: str = "GET") -> list[str]:
        """The paths that were asked for, behind the repository's."""
        return [
            one.path.removeprefix(f"{PREFIX}/repos/{self.repository}")
            for one in self._api.requests
            if one.method == method
        ]

    def wait_for(self, method: str, count: int = 1, patience: float = 30.0) -> bool:
        """Until so many requests of the method have come; False when they did not within `patience` seconds."""
        with self._heard:
            return bool(self._heard.wait_for(lambda: len(self.paths(method)) >= count, patience))

    def forget(self) -> None:
        """Forget the requests so far."""
        self._api.requests.clear()
        self._blob.requests.clear()

    def add_workflow(self, file: str, name: str, state: str = "active") -> dict[str, Any]:
        """A workflow; its id comes from the order."""
        made = {"id": 101 + len(self.workflows), "name": name, "path": f".github/workflows/{file}", "state": state}
        self.workflows[file] = made
        return made

    def add_run(self, *, workflow: str = "deploy.yml", age: float = 0.0, title: str = "Deploy", **more: Any) -> int:
        """A run that began `age` seconds ago; the id."""
        with self._lock:
            known = self.workflows.get(workflow) or self.add_workflow(workflow, workflow)
            id_ = 9_000_000_001 + len(self.runs)
            number = len(self.runs) + 1
            at = self.clock() + (self.skew or 0.0) - age
            self.runs.append(
                {
                    "id": id_,
                    "name": known["name"],
                    "path": known["path"],
                    "workflow_id": known["id"],
                    "run_number": number,
                    "run_attempt": 1,
                    "status": "queued",
                    "conclusion": None,
                    "event": "workflow_dispatch",
                    "head_branch": "main",
                    "head_sha": hashlib.sha1(str(number).encode()).hexdigest(),
                    "display_title": title,
                    "actor": {"login": "octocat"},
                    "triggering_actor": {"login": "octocat"},
                    "created_at": stamp(at),
                    "updated_at": stamp(at),
                    "html_url": f"https://github.com/{self.repository}/actions/runs/{id_}",
                    "repository": {"full_name": self.repository, "private": self.private},
                    **more,
                }
            )
            return id_

    def run(self, id_: int) -> dict[str, Any]:
        """The run as it is."""
        return next(run for run in self.runs if run["id"] == id_)

    def set(self, id_: int, **changes: Any) -> None:
        """Change a run."""
        with self._lock:
            self.run(id_).update(changes)

    def rerun(self, id_: int) -> None:
        """Run it again: the attempt rises, and it is queued."""
        self.set(id_, run_attempt=self.run(id_)["run_attempt"] + 1, status="queued", conclusion=None)

    def set_jobs(self, id_: int, *jobs: Mapping[str, Any], attempt: int = 1) -> None:
        """The jobs of an attempt, made by `job`."""
        with self._lock:
            self.jobs[id_, attempt] = [{"run_id": id_, "run_attempt": attempt, **one} for one in jobs]

    def fail(self, pattern: str, reply: Reply, times: int = 1, *, acts: bool = False) -> None:
        """Answer otherwise: see Fault."""
        self.faults.append(Fault(pattern, reply, times, acts))

    # ---------------------------------------------------------------------- answers

    def _answer(self, request: Received) -> Reply:
        with self._lock:
            self._heard.notify_all()
            fault = self._fault(f"{request.method} {request.path}")
            if fault is not None and not fault.acts:
                return self._dated(fault.reply)
            reply = self._counted(request)
            return self._dated(fault.reply if fault is not None else reply)

    def _fault(self, asked: str) -> Fault | None:
        for number, fault in enumerate(self.faults):
            if re.search(fault.pattern, asked):
                left = fault.times - 1
                self.faults[number : number + 1] = [replace(fault, times=left)] if left > 0 else []
                return fault
        return None

    def _counted(self, request: Received) -> Reply:
        """The answer, with its ETag, counted against the hourly requests: not a 304 that is authorised."""
        if self.rate.remaining == 0:
            return self._with_rate(said(403, "API rate limit exceeded for user ID 1."))
        if (version := request.headers.get("x-github-api-version", VERSIONS[0])) not in self.versions:
            return self._with_rate(said(400, f"The API version {version} is not supported."))
        authorised = request.headers.get("authorization", "")
        if authorised and authorised != f"Bearer {self.token}":
            return self._with_rate(said(401, "Bad credentials"))
        reply = self._routed(request)
        if request.method == "GET" and reply.status == 200 and self.etags:
            # The ETag depends on who asks.
            etag = f'W/"{hashlib.sha256(authorised.encode() + reply.body).hexdigest()}"'
            if request.headers.get("if-none-match") == etag:
                reply = Reply(status=304)
            reply = replace(reply, headers={**reply.headers, "ETag": etag})
        if not (reply.status == 304 and authorised):
            self.rate.used += 1
            if self.rate.remaining is not None:
                self.rate.remaining -= 1
        return self._with_rate(reply)

    def _with_rate(self, reply: Reply) -> Reply:
        if self.rate.remaining is None:
            return reply
        reset = self.rate.reset or self.clock() + (self.skew or 0.0) + 3600
        rate = {"X-RateLimit-Remaining": str(self.rate.remaining), "X-RateLimit-Reset": str(int(reset))}
        return replace(reply, headers={**reply.headers, **rate})

    def _dated(self, reply: Reply) -> Reply:
        if self.skew is None:
            return reply
        return replace(reply, headers={"Date": formatdate(self.clock() + self.skew, usegmt=True), **reply.headers})

    def _routed(self, request: Received) -> Reply:
        parts = urlsplit(request.path)
        found = re.fullmatch(rf"{PREFIX}/repos/([^/]+/[^/]+)(/.*)?", parts.path)
        if found is None or parts.path.endswith("/"):
            return said(404, "Not Found")
        repository, rest = found[1], found[2] or ""
        if self.moved_to and repository == self.repository:
            target = f"{self._api.url}{PREFIX}/repos/{self.moved_to}{rest}" + (f"?{parts.query}" if parts.query else "")
            return Reply.of_json({"message": "Moved Permanently", "url": target}, status=301, Location=target)
        if repository not in (self.repository, self.moved_to) or (
            self.private and "authorization" not in request.headers
        ):
            return said(404, "Not Found")
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if request.method == "POST":
            return self._dispatch(request, rest)
        return self._get(rest, query, request)

    def _get(self, rest: str, query: Mapping[str, str], request: Received) -> Reply:
        if rest == "":
            return Reply.of_json({"full_name": self.repository, "default_branch": "main"})
        if rest == "/actions/runs":
            return self._list(query)
        if found := re.fullmatch(r"/actions/workflows/([^/]+)", rest):
            known = self._workflow(found[1])
            return Reply.of_json(known) if known is not None else said(404, "Not Found")
        if found := re.fullmatch(r"/actions/jobs/(\d+)/logs", rest):
            if "authorization" not in request.headers:
                return said(403, "Must have admin rights to Repository.")
            if int(found[1]) not in self.logs:
                return said(404, "Not Found")
            return Reply(status=302, headers={"Location": f"{self._blob.url}/log/{found[1]}?sig=SIGNATURE"})
        if found := re.fullmatch(r"/actions/runs/(\d+)(/.*)?", rest):
            run = next((run for run in self.runs if run["id"] == int(found[1])), None)
            return self._of_run(run, found[2] or "") if run is not None else said(404, "Not Found")
        return said(404, "Not Found")

    def _of_run(self, run: Mapping[str, Any], rest: str) -> Reply:
        if rest == "":
            return Reply.of_json(run)
        if rest == "/pending_deployments":
            return Reply.of_json(self.pending.get(run["id"], []))
        found = re.fullmatch(r"(?:/attempts/(\d+))?/jobs", rest)
        if found is None:
            return said(404, "Not Found")
        jobs = self.jobs.get((run["id"], int(found[1] or run["run_attempt"])), [])
        return Reply.of_json({"total_count": len(jobs), "jobs": jobs[:100]})

    def _list(self, query: Mapping[str, str]) -> Reply:
        # With any filter the answer comes from a search index, which here never has anything.
        rows = [] if FILTERS & set(query) else [run for run in reversed(self.runs) if not run.get("hidden")]
        size = min(int(query.get("per_page", "30")), self.page or 100)
        page = int(query.get("page", "1"))
        total, rows = len(rows), rows[(page - 1) * size : page * size]
        reply = Reply.of_json({"total_count": total, "workflow_runs": rows})
        if page * size >= total:
            return reply
        address = f"{self.url}/repos/{self.moved_to or self.repository}/actions/runs?per_page=100&page="
        link = f'<{address}{page + 1}>; rel="next", <{address}{-(-total // size)}>; rel="last"'
        return replace(reply, headers={**reply.headers, "Link": link})

    def _workflow(self, key: str) -> dict[str, Any] | None:
        return next((one for file, one in self.workflows.items() if key in (file, str(one["id"]))), None)

    def _dispatch(self, request: Received, rest: str) -> Reply:
        found = re.fullmatch(r"/actions/workflows/([^/]+)/dispatches", rest)
        known = self._workflow(found[1]) if found is not None else None
        if known is None:
            return said(404, "Not Found")
        if "authorization" not in request.headers:
            return said(401, "Requires authentication")
        body = request.json()
        is_new = (self.speaks or request.headers.get("x-github-api-version")) == VERSIONS[1]
        if self.dispatching == "old" and not is_new and "return_run_details" in body:
            return said(422, 'Invalid request.\n\n"return_run_details" is not a permitted key.')
        wants = body.get("return_run_details") is True
        self.dispatched.append(body)
        file = known["path"].rpartition("/")[2]
        title = " ".join(["Deploy", *(str(value) for value in (body.get("inputs") or {}).values())])
        id_ = self.add_run(workflow=file, title=title, head_branch=body["ref"], hidden=not self.appears)
        if is_new or (self.dispatching == "asked" and wants):
            run = f"{self.url}/repos/{self.repository}/actions/runs/{id_}"
            return Reply.of_json({"workflow_run_id": id_, "run_url": run, "html_url": self.run(id_)["html_url"]})
        return Reply(status=204)

    def _log(self, request: Received) -> Reply:
        """As Azure's storage: a range with a beginning is served, another one is not looked at."""
        found = re.fullmatch(r"/log/(\d+)\?sig=SIGNATURE", request.path)
        if found is None:
            return Reply(status=403, body=b"<Error>AuthenticationFailed</Error>")
        whole = self.logs.get(int(found[1]), b"")
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
        if wanted is None or not self.log_ranges:
            return Reply(body=whole)
        start, end = int(wanted[1]), min(int(wanted[2]), len(whole) - 1)
        if start > end:
            return Reply(status=416)
        shown = {"Content-Range": f"bytes {start}-{end}/{len(whole)}"}
        return Reply(status=206, body=whole[start : end + 1], headers=shown)


def said(status: int, message: str, **headers: str) -> Reply:
    """How GitHub refuses."""
    data = {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)}
    return Reply.of_json(data, status=status, **headers)


def stamp(at: float) -> str:
    """Epoch seconds as GitHub writes times."""
    return datetime.fromtimestamp(int(at), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def job(
    id_: int, name: str, status: str = "completed", conclusion: str | None = None, steps: str = "", **more: Any
) -> dict[str, Any]:
    """A job. `steps` are words with a mark before: + done, ! failed, > running, anything else waiting."""
    marks = {"+": ("completed", "success"), "!": ("completed", "failure"), ">": ("in_progress", None)}
    made = []
    for number, word in enumerate(steps.split(","), 1) if steps else ():
        state, end = marks.get(word[0], ("queued", None))
        text = word[1:] if word[0] in marks else word
        made.append({"name": text, "number": number, "status": state, "conclusion": end})
    return {"id": id_, "name": name, "status": status, "conclusion": conclusion, "steps": made, **more}


def body_of(request: Received) -> Any:
    """The JSON of a request."""
    return json.loads(request.body)
