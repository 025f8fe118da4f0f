"""The simulator base: routes, recording, faults, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from hub.sdk.kit.simulator.base import ManualClock, Refused, SimRequest, SimResponse, Simulator, UnexpectedCall, route


class Shop(Simulator):
    hosts = ("api", "tracking")

    def refuse(self, request: SimRequest) -> SimResponse | None:
        if request.headers.get("authorization") == "Bearer good":
            return None
        return SimResponse(401, {"error": "bad key"})

    def headers(self, request: SimRequest) -> dict[str, str]:
        return {"x-remaining": "9"}

    @route("PUT", "/people/{id}")
    def upsert(self, request: SimRequest) -> SimResponse:
        body = request.json()
        if not isinstance(body, dict):
            raise Refused(SimResponse(422, {"error": "an object is due"}))
        self.profiles[request.params["id"]] = body
        return SimResponse(201, {"id": request.params["id"], "host": request.host})

    @route("POST", "/broken")
    def broken(self, request: SimRequest) -> SimResponse:
        raise KeyError("a defect of the simulator")


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def http(shop: Shop) -> Iterator[requests.Session]:
    with shop.serving(), requests.Session() as session:
        session.headers["Authorization"] = "Bearer good"
        yield session


def put(http: requests.Session, shop: Shop, path: str = "/people/ada", **given: object) -> requests.Response:
    return http.put(shop.url + path, **{"json": {"name": "Ada"}, "timeout": 0.3, **given})


def test_a_call_reaches_its_route_with_the_names_of_the_path(shop, http):
    answer = put(http, shop, "/people/a%2Fb%20c")

    assert answer.status_code == 201
    assert answer.headers["x-remaining"] == "9"
    assert shop.profiles == {"a/b c": {"name": "Ada"}}


def test_every_call_is_recorded_as_it_came(shop, http):
    put(http, shop, "/people/ada?dry=1&empty=")

    (call,) = shop.calls("/people")
    assert (call.method, call.query, call.json()) == ("PUT", {"dry": "1", "empty": ""}, {"name": "Ada"})
    assert call.headers["content-type"] == "application/json"


def test_one_connection_carries_many_calls(shop, http):
    for _ in range(5):
        put(http, shop)

    pools = http.get_adapter(shop.url).poolmanager.pools
    (key,) = pools.keys()
    pool = pools[key]
    assert pool.num_connections == 1
    assert pool.num_requests == 5


def test_bad_credentials_are_refused_before_anything_happens(shop, http):
    answer = put(http, shop, headers={"Authorization": "Bearer stolen"})

    assert answer.status_code == 401
    assert shop.profiles == {}


def test_an_endpoint_may_end_with_a_refusal_from_anywhere(shop, http):
    assert put(http, shop, json=[1]).status_code == 422


def test_another_host_of_the_vendor_has_a_base_url_of_its_own(shop, http):
    answer = http.put(shop.base_urls()["tracking"] + "/people/ada", json={})

    assert answer.json() == {"id": "ada", "host": "tracking"}


def test_a_scripted_429_carries_retry_after_and_is_over_after_its_times(shop, http):
    shop.next(status=429, retry_after=7, times=2)
    answers = [put(http, shop) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [429, 429, 201]
    assert answers[0].headers["retry-after"] == "7"


def test_a_scripted_fault_waits_for_its_path(shop, http):
    shop.next(status=500, path="/people/bob")

    assert put(http, shop, "/people/ada").status_code == 201
    assert put(http, shop, "/people/bob").status_code == 500


def test_an_html_page_and_broken_json_can_stand_for_an_answer(shop, http):
    shop.next("html")
    shop.next("broken_json", status=201)
    page, broken = put(http, shop), put(http, shop)

    assert (page.status_code, page.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert broken.status_code == 201
    with pytest.raises(requests.exceptions.JSONDecodeError):
        broken.json()


@pytest.mark.parametrize(
    ("kind", "error", "acted"),
    [
        ("timeout", requests.exceptions.ReadTimeout, False),
        ("reset", requests.exceptions.ConnectionError, False),
        ("accepted_then_timeout", requests.exceptions.ReadTimeout, True),
        ("accepted_then_reset", requests.exceptions.ConnectionError, True),
    ],
)
def test_the_line_can_go_dead_before_or_after_the_vendor_acted(shop, http, kind, error, acted):
    shop.next(kind)

    with pytest.raises(error):
        put(http, shop)
    assert ("ada" in shop.profiles) is acted
    assert len(shop.received) == 1


def test_an_unknown_fault_is_refused_when_it_is_scripted():
    with pytest.raises(ValueError, match="choose one of"):
        Shop().next("explode")


def test_an_unexpected_path_fails_the_test_that_caused_it(shop):
    with pytest.raises(UnexpectedCall, match="GET /nowhere"), shop.serving() as url:
        assert requests.get(f"{url}/nowhere", timeout=1).status_code == 404


def test_a_defect_of_the_simulator_is_told_and_not_taken_for_the_vendors_answer(shop):
    request = SimRequest("POST", "/broken", headers={"authorization": "Bearer good"})

    assert shop.answer(request).status == 500
    with pytest.raises(UnexpectedCall, match="a defect of the simulator"):
        shop.assert_expected()


def test_answering_needs_no_network(shop):
    request = SimRequest("PUT", "/people/ada", headers={"authorization": "Bearer good"}, body=b"{}")

    assert shop.answer(request).status == 201


def test_another_process_may_look_inside_and_script_faults(shop, http):
    put(http, shop)
    scripted = http.post(f"{shop.url}/_sim/next", json={"status": 503, "path": "/people"})

    assert scripted.json() == {"pending": 1}
    assert put(http, shop).status_code == 503
    assert http.get(f"{shop.url}/_sim/state").json()["profiles"] == {"ada": {"name": "Ada"}}
    assert [call["path"] for call in http.get(f"{shop.url}/_sim/received").json()] == ["/people/ada"] * 2
    assert http.get(f"{shop.url}/_sim/unexpected").json() == []
    assert http.post(f"{shop.url}/_sim/next", json={"kind": "explode"}).status_code == 400
    http.post(f"{shop.url}/_sim/reset")
    assert shop.received == []
    assert "ada" in shop.profiles


def test_the_manual_clock_moves_only_when_told():
    clock = ManualClock()
    before = clock()
    clock.advance(60)

    assert (clock() - before).total_seconds() == 60


def test_a_streamed_body_arrives_whole(shop, http):
    answer = put(http, shop, json=None, data=iter([b'{"na', b'me": "Ada"}']))

    assert answer.status_code == 201
    assert shop.profiles["ada"] == {"name": "Ada"}


def test_a_fault_may_strike_in_the_middle_of_several_calls(shop, http):
    shop.next(status=500, after=1)

    assert [put(http, shop).status_code for _ in range(3)] == [201, 500, 201]
