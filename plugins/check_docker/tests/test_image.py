"""When a tag means what is waited for."""

from __future__ import annotations

from typing import Any

import pytest
from docker_asking import Asking
from engine_api import IMAGE, OTHER_IMAGE, EngineApi, image

from tmux_sentry import CheckStatus
from tmux_sentry.testing.samples import HOSTILE_TEXTS
from tmux_sentry_check_docker.image import ImageCheck

PENDING, SUCCESS, UNKNOWN = CheckStatus.PENDING, CheckStatus.SUCCESS, CheckStatus.UNKNOWN
DURING, LATER = "2023-11-14T22:13:25.123Z", "2031-01-01T00:00:00Z"


def asking(engine: EngineApi, **config: Any) -> Asking:
    checker = ImageCheck({"DOCKER_HOST": engine.address}, seconds=2.0)
    return Asking(checker, **{"image": "app", "docker": "local", **config})


def tagged(at: str, *tags: str) -> dict[str, Any]:
    return image(Metadata={"LastTagTime": at}, RepoTags=list(tags))


FIRST_LOOKS = [
    # an image as it is at the first look, and whether it was made in this stage
    (image(), PENDING),
    (image(Created=DURING), SUCCESS),
    (image(Created="2023-11-14T22:13:19.9Z"), PENDING),
    (image(Created=LATER), PENDING),  # made up
    (image(Created="1970-01-01T00:00:00Z"), PENDING),  # a reproducible build
    (tagged(DURING, "app:latest"), SUCCESS),  # a build that changed nothing
    (tagged(DURING, "app:latest", "app:old"), PENDING),  # `docker tag app app:old` before the build
    (tagged(DURING), PENDING),
    (tagged(LATER, "app:latest"), PENDING),
    (image(Created=None, Metadata=None, RepoTags=None), PENDING),
]


@pytest.mark.parametrize(("said", "status"), FIRST_LOOKS)
def test_the_first_look(engine: EngineApi, said: dict[str, Any], status: CheckStatus) -> None:
    engine.images["app"] = said
    assert asking(engine)().status is status


def test_another_image_than_at_the_first_look(engine: EngineApi) -> None:
    engine.images["app"] = image()
    ask = asking(engine)
    assert [ask().status, ask().status] == [PENDING, PENDING]
    engine.images["app"] = image(OTHER_IMAGE)
    result = ask()
    assert (result.status, result.detail) == (SUCCESS, f"app is {'2' * 12} now; it was {'1' * 12}")


SETTLED = [
    # what ended the check of one stage, by a clock that is ahead of ours, and what does for the next
    (image(Created=DURING), image(OTHER_IMAGE, Created=DURING)),
    (tagged(DURING, "app:latest"), tagged("2023-11-14T22:13:26Z", "app:latest")),
    (image(Created=DURING), tagged("2023-11-14T22:13:26Z", "app:latest")),
]


@pytest.mark.parametrize(("said", "later"), SETTLED)
def test_an_image_of_one_stage_answers_no_later_one(
    engine: EngineApi, said: dict[str, Any], later: dict[str, Any]
) -> None:
    engine.images["app"] = said
    ask = asking(engine)
    assert ask().status is SUCCESS
    retry = ask.next()
    assert [retry().status, retry().status] == [PENDING, PENDING]
    engine.images["app"] = later
    assert retry().status is SUCCESS
    assert retry.next()().status is PENDING


@pytest.mark.parametrize("registry", [False, True])
def test_a_tag_that_moved_in_one_stage_answers_no_later_one(engine: EngineApi, registry: bool) -> None:
    ask = asking(engine, registry=registry)
    images = engine.registry if registry else engine.images
    assert ask().status is PENDING
    images["app"] = {"Descriptor": {"digest": IMAGE}} if registry else image(Created=DURING)
    assert ask().status is SUCCESS
    assert [ask.next()().status, ask.next().next()().status] == [PENDING, PENDING]


def test_an_image_that_was_not_there(engine: EngineApi) -> None:
    ask = asking(engine)
    assert (ask().status, "no image app" in ask().detail) == (PENDING, True)
    engine.images["app"] = image()
    assert ask().status is SUCCESS


def test_only_dockers_own_words_say_that_it_is_not_there(engine: EngineApi) -> None:
    for path in ("/images", "/distribution"):
        engine.faults[path] = (404, {"message": "page is gone"})
    for registry in (False, True):
        result = asking(engine, registry=registry)()
        assert (result.status, "HTTP 404" in result.detail) == (UNKNOWN, True)


def test_an_image_that_went_away_is_no_success(engine: EngineApi) -> None:
    engine.images["app"] = image()
    ask = asking(engine)
    ask()
    engine.images.clear()
    assert ask().status is PENDING


@pytest.mark.parametrize("memory", [{"first": None}, {"first": 7}, {"first": "x"}, {"first": ["sha256:"]}])
def test_a_memory_that_cannot_be_read_makes_nothing_new(engine: EngineApi, memory: dict[str, Any]) -> None:
    engine.images["app"] = image()
    ask = asking(engine)
    ask.memory = memory
    assert ask().status is PENDING


def test_a_certain_image(engine: EngineApi) -> None:
    ask = asking(engine, digest=OTHER_IMAGE)
    assert ask().status is PENDING
    engine.images["app"] = image(Created=DURING)
    result = ask()
    assert (result.status, result.detail) == (PENDING, f"app is {'1' * 12}, not {'2' * 12}")
    for known in (
        image(OTHER_IMAGE),
        image(RepoDigests=[f"registry:5000/app@{OTHER_IMAGE}"]),
        image(Descriptor={"digest": OTHER_IMAGE}),
    ):
        engine.images["app"] = known
        assert ask().status is SUCCESS


def test_any_image_on_request(engine: EngineApi) -> None:
    ask = asking(engine, exists=True)
    assert ask().status is PENDING
    engine.images["app"] = image()
    assert ask().status is SUCCESS


def test_the_registrys_image(engine: EngineApi) -> None:
    engine.images["reg.example:5000/team/app:1"] = image(Created=DURING)
    ask = asking(engine, image="reg.example:5000/team/app:1", registry=True)
    assert (ask().status, "the registry" in ask().detail) == (PENDING, True)
    engine.registry["reg.example:5000/team/app:1"] = {"Descriptor": {"digest": IMAGE}}
    assert ask().status is SUCCESS
    ask = asking(engine, image="reg.example:5000/team/app:1", registry=True)
    assert ask().status is PENDING  # it was there at the first look: nobody knows since when


@pytest.mark.parametrize("status", [401, 403])
def test_a_registry_that_wants_a_login_is_no_answer(engine: EngineApi, status: int) -> None:
    engine.faults["/distribution"] = (status, {"message": "denied"})
    result = asking(engine, registry=True, exists=True)()
    assert (result.status, "login" in result.detail) == (UNKNOWN, True)


@pytest.mark.parametrize("ref", ["", "../x", "a//b", "a/../../containers/x", "-x", "a b", "a?x", *HOSTILE_TEXTS])
def test_what_is_no_name_is_not_asked_for(engine: EngineApi, ref: str) -> None:
    if ref != "A" * 200_000:
        assert asking(engine, image=ref)().status is UNKNOWN
        assert engine.asked == []


@pytest.mark.parametrize("ref", ["app", "my__app:1.0", "ghcr.io/a/b-c--d:v1", f"app@{IMAGE}", "localhost:5000/x"])
def test_names_arrive_whole(engine: EngineApi, ref: str) -> None:
    engine.images[ref] = image()
    assert asking(engine, image=ref, exists=True)().status is SUCCESS


@pytest.mark.parametrize("digest", ["sha256:1", "sha512:" + "1" * 128, "1" * 64, IMAGE + "\n", *HOSTILE_TEXTS[1:]])
def test_what_is_no_digest_is_no_success(engine: EngineApi, digest: str) -> None:
    engine.images["app"] = image()
    assert asking(engine, digest=digest)().status is UNKNOWN


@pytest.mark.parametrize("said", [None, [], "x", {}, {"Id": None}, {"Id": ["x"]}, {"Id": "x"}, {"Id": IMAGE + "0"}])
@pytest.mark.parametrize("config", [{}, {"exists": True}, {"registry": True, "exists": True}, {"digest": IMAGE}])
def test_what_is_no_image_decides_nothing(engine: EngineApi, said: Any, config: dict[str, Any]) -> None:
    engine.images["app"] = engine.registry["app"] = said
    assert asking(engine, **config)().status is UNKNOWN
