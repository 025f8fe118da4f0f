"""What goes over the wire, byte by byte."""

from __future__ import annotations

import pytest

from hub.sdk.errors import ConfigurationError
from hub.sdk.values import EMPTY, Basic, Bearer, Header, Request, Secret
from hub.sdk.wire import encode

HOSTS = {"api": "https://api.example.com/v2/"}
KEY = Secret("k3y")


def test_a_json_request_has_its_url_headers_and_compact_bytes():
    wire = encode(Request("POST", "/people", json={"a": [1, None, "é"]}), HOSTS, {"api": Bearer(KEY)})

    assert (wire.method, wire.url) == ("POST", "https://api.example.com/v2/people")
    assert wire.body == '{"a":[1,null,"é"]}'.encode()
    assert wire.headers["authorization"] == "Bearer k3y"
    assert wire.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        (Basic(Secret("ada"), KEY), "authorization", "Basic YWRhOmszeQ=="),
        (Header("Authorization", KEY, "Acme-Key "), "authorization", "Acme-Key k3y"),
        (Header("X-Key", KEY), "x-key", "k3y"),
    ],
)
def test_each_kind_of_credentials_has_its_header(auth, name, value):
    assert encode(Request("GET", "/"), HOSTS, {"api": auth}).headers[name] == value


def test_secrets_may_stand_anywhere_and_are_revealed_only_when_asked_to():
    request = Request("POST", "/", query={"key": KEY}, headers={"X-Sign": KEY}, json={"deep": [{"key": KEY}]})
    for auth in (Bearer(KEY), Basic(KEY, KEY), Header("X-Key", KEY)):
        sent, shown = encode(request, HOSTS, {"api": auth}), encode(request, HOSTS, {"api": auth}, masked=True)

        assert sent.url.endswith("?key=k3y")
        assert sent.body == b'{"deep":[{"key":"k3y"}]}'
        assert sent.headers["x-sign"] == "k3y"
        assert "k3y" not in f"{shown.url} {dict(shown.headers)} {shown.body!r}"
        assert "k3y" not in repr(sent)


def test_a_form_is_encoded_as_one():
    wire = encode(Request("POST", "/", form={"key": KEY, "on": True, "many": ["a", "b"]}), HOSTS)

    assert wire.body == b"key=k3y&on=true&many=a&many=b"
    assert wire.headers["content-type"] == "application/x-www-form-urlencoded"


def test_raw_bytes_go_out_as_they_are():
    wire = encode(Request("POST", "/", body=b"\x00\xff", headers={"Content-Type": "text/csv"}), HOSTS)

    assert (wire.body, wire.headers["content-type"]) == (b"\x00\xff", "text/csv")


def test_a_lone_surrogate_a_huge_integer_and_an_empty_mapping_do_not_break_the_body():
    wire = encode(Request("POST", "/", json={"s": "a\ud800b", "n": 2**70, "m": EMPTY}), HOSTS)

    assert wire.body == b'{"s":"a?b","n":1180591620717411303424,"m":{}}'


def test_a_value_json_does_not_have_is_a_defect():
    with pytest.raises(TypeError, match="cannot hold a set"):
        encode(Request("POST", "/", json={"s": {1}}), HOSTS)


def test_an_unknown_host_is_named_with_those_there_are():
    with pytest.raises(ConfigurationError, match=r"'tracking'.*api"):
        encode(Request("GET", "/", host="tracking"), HOSTS)
