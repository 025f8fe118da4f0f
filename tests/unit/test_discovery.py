"""Discovery: bundled, dropped in, installed; and what a broken folder does to the others (nothing)."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel, Field, SecretStr

from hub.registry.discovery import build, discover, example_settings, get, secret_fields
from hub.registry.scaffold import scaffold
from hub.sdk.contract import Source
from hub.sdk.declared import redirected, undocumented
from hub.sdk.errors import ConfigurationError


def broken(folder: Path, name: str, text: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "connector.py").write_text(text)


def test_bundled_connectors_are_found_with_their_files():
    braze = discover()["braze"]

    assert (braze.origin, braze.title, braze.error) == ("bundled", "Braze", "")
    assert braze.destination_class.name == "braze"
    assert braze.source_class is None
    assert braze.simulator_class().__name__ == "BrazeSimulator"
    assert {path.name for path in braze.case_files} >= {"profiles.yaml", "messages.yaml"}
    assert braze.mapping_path.name == "braze.yaml"
    assert braze.docs_path.name == "braze.md"


def test_a_dropped_in_folder_is_found_with_its_own_mapping(tmp_path):
    scaffold("acme", tmp_path)
    found = discover(str(tmp_path))

    assert "braze" in found
    assert found["acme"].origin == "drop-in"
    assert found["acme"].mapping_path == tmp_path / "acme" / "mapping.yaml"
    assert found["acme"].docs_path == tmp_path / "acme" / "README.md"


def test_several_paths_are_searched_and_those_that_do_not_exist_are_none(tmp_path):
    scaffold("acme", tmp_path / "one")
    scaffold("emca", tmp_path / "two", "source")
    path = os.pathsep.join([str(tmp_path / "one"), str(tmp_path / "none"), "", str(tmp_path / "two")])
    found = discover(path)

    assert found["acme"].destination_class is not None
    assert found["emca"].source_class is not None
    assert found["emca"].sender_class().__name__ == "SimulatedEmca"


def test_a_folder_that_is_no_longer_named_is_gone_and_one_of_the_same_name_is_read_anew(tmp_path):
    scaffold("acme", tmp_path / "one")
    scaffold("acme", tmp_path / "two", "source")
    first, none, second = (discover(str(tmp_path / name) if name else "").get("acme") for name in ("one", "", "two"))

    assert first.destination_class is not None
    assert none is None
    assert second.source_class is not None
    assert second.sender_class().__name__ == "SimulatedAcme"


def test_connectors_are_found_while_other_threads_import():
    """As in a role whose threads load what they need with their first message."""
    is_done = threading.Event()
    names = [f"imported_meanwhile_{number}" for number in range(20_000)]

    def imports() -> None:
        for name in names:
            sys.modules[name] = ModuleType(name)
            if is_done.is_set():
                return

    every = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread = threading.Thread(target=imports)
    thread.start()
    try:
        for _ in range(5):
            assert "braze" in discover()
    finally:
        sys.setswitchinterval(every)
        is_done.set()
        thread.join()
        for name in names:
            sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("def (", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("1 / 0", "ZeroDivisionError"),
        ("", "neither a Source nor a Destination"),
        ("from hub.sdk.contract import Source", "neither a Source nor a Destination"),
        (
            "from hub.sdk.contract import Source\nclass A(Source): pass\nclass B(Source): pass",
            "defines A, B; a connector.py holds at most one Source",
        ),
    ],
)
def test_a_broken_folder_is_listed_with_its_reason_and_harms_nobody(tmp_path, text, words):
    broken(tmp_path, "acme", text)
    found = discover(str(tmp_path))

    assert words in found["acme"].error
    assert found["braze"].error == ""
    with pytest.raises(ConfigurationError):
        get(found, "acme")
    with pytest.raises(ConfigurationError):
        found["acme"].subject()


def test_a_broken_folder_does_not_hide_one_of_the_same_name_elsewhere(tmp_path):
    broken(tmp_path / "one", "acme", "1 / 0")
    (tmp_path / "one" / "acme" / "__init__.py").touch()
    scaffold("acme", tmp_path / "two")
    discover(str(tmp_path / "one"))

    assert discover(str(tmp_path / "two"))["acme"].error == ""


def test_a_repaired_folder_is_found_again(tmp_path):
    broken(tmp_path, "acme", "1 / 0")
    assert discover(str(tmp_path))["acme"].error
    (tmp_path / "acme" / "connector.py").write_text(
        "from hub.sdk.contract import Source\nclass A(Source): name = 'acme'"
    )

    assert discover(str(tmp_path))["acme"].error == ""


def test_a_dropped_in_folder_cannot_take_the_name_of_a_bundled_one(tmp_path):
    scaffold("braze", tmp_path)
    found = discover(str(tmp_path))

    assert found["braze"].origin == "bundled"
    (taken,) = [one for one in found.values() if one.error]
    assert str(tmp_path) in taken.name
    assert "rename this folder" in taken.error


def test_an_installed_package_is_found_by_its_entry_point(tmp_path, monkeypatch):
    scaffold("acme", tmp_path)
    (tmp_path / "acme").rename(tmp_path / "acme_for_the_hub")
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        importlib.metadata.EntryPoint("acme", "acme_for_the_hub", "hub.connectors"),
        importlib.metadata.EntryPoint("ghost", "no_such_package.at_all", "hub.connectors"),
    ]
    monkeypatch.setattr("hub.registry.discovery.entry_points", lambda group: points)
    found = discover()

    assert (found["acme"].origin, found["acme"].destination_class.title) == ("package", "Acme")
    assert found["acme"].simulator_class().__name__ == "AcmeSimulator"
    assert "not an installed package" in found["ghost"].error


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(ConfigurationError, match=r"no connector 'acme'.*braze"):
        get(discover(), "acme")


def test_discovery_needs_no_simulator_code(tmp_path):
    scaffold("acme", tmp_path)
    discover(str(tmp_path))

    assert "connectors.acme.connector" in sys.modules
    assert "connectors.acme.simulator" not in sys.modules


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────────


class ShopSettings(BaseModel):
    url: str = Field(pattern="^https", description="Where it is.", examples=["https://shop.example"])
    size: int = Field(default=10, le=20, description="How many.", examples=[5])
    key: SecretStr = Field(min_length=8, description="The key.", examples=["key-0123456789"])
    old_keys: list[SecretStr] = Field(default_factory=list, description="Keys before.", examples=[["k-1"]])
    spare: SecretStr | None = Field(default=None, description="Another.")


class Shop(Source):
    name = "shop"
    title = "Shop"
    Settings = ShopSettings


def test_settings_from_the_command_line_are_text_and_still_become_what_they_are():
    shop = build(Shop, {"url": "https://x", "size": "7"}, {"key": "0123456789"})

    assert shop.settings.size == 7
    assert "0123456789" not in repr(shop.settings)


def test_each_wrong_setting_has_its_sentence_and_no_secret_shows():
    with pytest.raises(ConfigurationError) as told:
        build(Shop, {"size": 99, "colour": "red"}, {"key": "s3cret", "old_keys": ["0ld-s3cret", 5]})

    text = str(told.value)
    for words in (
        "of Shop",
        "url is missing",
        "size: input should be less than or equal to 20",
        "no setting 'colour'",
        "key:",
    ):
        assert words in text
    assert "s3cret" not in text
    assert told.value.__cause__ is None


def test_secret_fields_are_found_in_every_form():
    assert secret_fields(ShopSettings) == {"key", "old_keys", "spare"}


def test_examples_build_a_connector():
    assert example_settings(ShopSettings)["size"] == 5
    assert build(Shop, example_settings(ShopSettings), {}).settings.url == "https://shop.example"


def test_a_field_without_example_is_named():
    assert undocumented(ShopSettings) == ["ShopSettings.spare has no example"]


def test_a_host_can_be_redirected_and_an_unknown_one_is_refused():
    braze = get(discover(), "braze").destination_class
    destination = build(braze, {"base_url": "https://rest.fra-01.braze.eu"}, {"api_key": "k"})

    assert redirected(destination, {"api": "http://127.0.0.1:9"}) == {"api": "http://127.0.0.1:9"}
    assert redirected(destination, {}) == {"api": "https://rest.fra-01.braze.eu"}
    with pytest.raises(ConfigurationError, match="no host 'tracking'; its hosts are api"):
        redirected(destination, {"tracking": "http://127.0.0.1:9"})
