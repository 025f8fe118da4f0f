"""Settings, doctor, failures that are not defects, and the real program in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub.cli.commands import MODULES
from hub.core import clock
from hub.core.clock import SECOND
from hub.core.database import write
from hub.core.ids import new_id
from hub.core.listener import listen
from hub.runtime.process.heartbeat import HEARTBEAT
from hub.runtime.process.report import report_of
from hub.runtime.roles.supervisor import ROLES
from tests.heartbeats import roles_live
from tests.unit.cli.conftest import Shell
from tests.unit.cli.test_things import BRAZE

ROOT = Path(__file__).resolve().parents[3]


def test_settings_are_listed_without_what_they_hide(shell: Shell) -> None:
    url = "postgresql://hub:the-password@db.example.com/hub"
    result = shell.run("settings", "--json", HUB_SECRET_KEY="the-secret-key", HUB_DATABASE_URL=url, HUB_PORT="9000")

    rows = {row["variable"]: row for row in json.loads(result.stdout)}
    assert rows["HUB_PORT"]["value"] == "9000"
    assert rows["HUB_SECRET_KEY"]["value"] == "***"
    assert rows["HUB_DATABASE_URL"]["value"] == "postgresql://***"
    assert "the-" not in result.stdout
    assert all(row["description"] for row in rows.values())
    assert "HUB_DATA_DIR" in shell.text("settings")


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"HUB_PORT": "many"}, "HUB_PORT is not usable"),
        ({"HUB_SEEN_DAYS": "0"}, "HUB_SEEN_DAYS is not usable"),
        ({"HUB_DATABASE_URL": "the-password"}, "HUB_DATABASE_URL is not a database URL"),
        ({"HUB_DATABASE_URL": "postgresql://hub:the-password@x:port/y"}, "HUB_DATABASE_URL is not a database URL"),
        ({"HUB_DATABASE_URL": "nonsense://hub:the-password@x/y"}, "HUB_DATABASE_URL names nonsense"),
        ({"HUB_DATABASE_URL": "postgresql://hub:the-password@127.0.0.1:1/hub"}, "cannot be reached"),
        ({"HUB_DATA_DIR": "/dev/null/hub"}, "/dev/null"),
    ],
)
def test_a_wrong_environment_is_one_sentence_without_its_secrets(
    shell: Shell, environment: dict[str, str], sentence: str
) -> None:
    told = shell.error("sources", "add", "segment", "--name", "web", **environment)

    assert sentence in told
    assert "the-password" not in told


def test_another_key_than_the_secrets_were_stored_with(shell: Shell) -> None:
    shell.text("destinations", "add", "braze", "--name", "crm", *BRAZE)

    assert "HUB_SECRET_KEY" in shell.error("destinations", "list", HUB_SECRET_KEY="another")
    result = shell.run("doctor", "--json", HUB_SECRET_KEY="another")
    assert result.exit_code == 1
    assert any(each["level"] == "error" and "HUB_SECRET_KEY" in each["text"] for each in json.loads(result.stdout))


def runs(shell: Shell, *roles: str, **report: object) -> None:
    """These roles live, and report what a role of this shell would, but for what is given."""
    roles_live(shell.installation.engine, *roles, report=report_of(shell.installation) | report)


def diagnosis(shell: Shell, **environment: str) -> dict[str, str]:
    """Sentence to level; the exit code is 1 with an error among them, else 0."""
    result = shell.run("doctor", "--json", **environment)
    found = {each["text"]: each["level"] for each in json.loads(result.stdout)}
    assert result.exit_code == ("error" in found.values()), result.output
    return found


def levels(found: dict[str, str], text: str) -> list[str]:
    return [level for each, level in found.items() if text in each]


def test_the_doctor_finds_a_healthy_hub_healthy(shell: Shell) -> None:
    shell.text("destinations", "add", "braze", "--name", "crm", *BRAZE)
    runs(shell, *ROLES)

    found = diagnosis(shell)
    assert set(found.values()) <= {"ok", "warning"}, found
    for text in ("The database answers (sqlite).", "1 connections", "The role apply runs since"):
        assert levels(found, text) == ["ok"], text


def test_the_doctor_of_a_stopped_hub_says_that_it_is_not_running(shell: Shell) -> None:
    assert levels(diagnosis(shell), "The hub is not running: there is none in") == ["error"]
    assert not (shell.folder / "hub.db").exists(), "asking makes no hub"

    shell.text("sources", "add", "segment", "--name", "web")
    assert levels(diagnosis(shell), "The hub is not running: no role leaves heartbeats") == ["error"]

    runs(shell, "web", "apply", "schedule")
    found = diagnosis(shell)
    assert levels(found, "The role deliver: it is not running.") == ["error"]
    assert levels(found, "The role web runs since") == ["ok"]


def test_the_doctor_speaks_of_the_connectors_of_the_running_hub_and_not_of_its_own(
    shell: Shell, tmp_path: Path
) -> None:
    shell.text("destinations", "add", "braze", "--name", "crm", *BRAZE)
    everything = report_of(shell.installation)["connectors"]
    lacking = [name for name in everything if name != "braze"]
    runs(shell, "web", "apply", "schedule")
    runs(shell, "deliver", connectors=lacking, connectors_path="/srv/gone", missing_folders=["/srv/gone"],
         broken={"braze": "SyntaxError in line 7"})  # fmt: skip

    found = diagnosis(shell, HUB_CONNECTORS_PATH=str(tmp_path / "nowhere"))
    for text in (
        "/srv/gone does not exist for the role deliver; correct HUB_CONNECTORS_PATH",
        "The connector 'braze' cannot be loaded by the role deliver: SyntaxError in line 7",
        "The connector 'braze' is not there for the role deliver; `hub connectors reload`",
        "The destination 'crm' needs the connector 'braze', which the role deliver cannot use",
    ):
        assert levels(found, text) == ["error"], text
    assert levels(found, "in this shell, but /srv/gone for the role deliver") == ["warning"]
    assert levels(found, f"{tmp_path / 'nowhere'} does not exist") == ["warning"]


def test_the_doctor_names_a_broken_mapping_file(shell: Shell) -> None:
    source = shell.json("sources", "add", "segment", "--name", "web")
    runs(shell, *ROLES, mappings={source["id"]: "segment.yaml:12:3: there is no 'profil' here"})
    assert levels(diagnosis(shell), "The mapping 'segment' of 'web' is broken") == ["error"]
    assert levels(diagnosis(shell), "segment.yaml:12:3") == ["error"]


def test_the_doctor_warns_of_files_that_others_may_read(shell: Shell) -> None:
    shell.text("sources", "add", "segment", "--name", "web")
    runs(shell, *ROLES)
    for path in (shell.folder, *shell.folder.iterdir()):
        path.chmod(0o700)
    assert levels(diagnosis(shell), "Others on this machine may read") == []
    (shell.folder / "hub.db").chmod(0o644)
    assert levels(diagnosis(shell), "Others on this machine may read hub.db") == ["warning"]


def test_the_doctor_finds_what_is_wrong(shell: Shell, tmp_path: Path) -> None:
    shell.text("destinations", "add", "braze", "--name", "crm", *BRAZE)
    shell.text("destinations", "pause", "crm", "--reason", "401 from the vendor")
    broken = tmp_path / "connectors" / "broken"
    broken.mkdir(parents=True)
    (broken / "__init__.py").touch()
    (broken / "connector.py").write_text("raise ValueError('not today')\n")
    with write(shell.installation.engine) as database:
        for _ in range(3):
            at = clock.now() - 30 * SECOND
            database.execute(
                HEARTBEAT.insert(),
                {"id": new_id(), "role": "apply", "started_at": at - SECOND, "at": at, "report": "{}"},
            )

    result = shell.run("doctor", "--json", HUB_CONNECTORS_PATH=str(tmp_path / "connectors"), HUB_KAFKA_BOOTSTRAP="k:9")
    found = {each["text"]: each["level"] for each in json.loads(result.stdout)}
    assert result.exit_code == 1
    wanted = {
        "is paused: 401 from the vendor": "warning", "'broken' cannot be loaded": "error",
        "role apply: it crashed 3 times": "error", "Kafka cluster does not answer": "error",
    }  # fmt: skip
    for text, level in wanted.items():
        assert [found[each] for each in found if text in each] == [level], text
    assert "error" in shell.run("doctor").stdout


def test_the_doctor_tells_of_a_database_that_does_not_answer(shell: Shell) -> None:
    result = shell.run("doctor", HUB_DATABASE_URL="postgresql://hub:the-password@127.0.0.1:1/hub")

    assert result.exit_code == 1
    assert "HUB_DATABASE_URL" in result.output
    assert "the-password" not in result.output


# ── mappings and previews ────────────────────────────────────────────────────────────────────────────────────────

IDENTIFY = {"type": "identify", "messageId": "m-1", "userId": "ada", "timestamp": "2026-03-14T09:00:00Z",
            "traits": {"email": "ada@example.com", "plan": "pro"}}  # fmt: skip
TRACK = {**IDENTIFY, "type": "track", "messageId": "m-2", "event": "Signed Up", "properties": {"plan": "pro"}}


def test_every_bundled_mapping_is_right(shell: Shell) -> None:
    assert shell.json("mappings", "check") == []
    rows = {row["name"]: row for row in shell.json("mappings", "list")}
    assert {"segment", "braze", "klaviyo"} <= set(rows)
    assert all(len(row["hash"]) == 64 and row["error"] is None for row in rows.values())
    assert "segment" in shell.text("mappings", "list")


def test_a_broken_mapping_is_told_with_its_place(shell: Shell, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(
        "connector: segment\nwho: {source_id: userId}\nrules:\n  - {id: all, profile: {email: traits.email}}\n"
    )
    bad.write_text("connector: segment\nwho: {source_id: userId}\nrules:\n  - {id: all, profil: {email: x}}\n")

    assert shell.json("mappings", "check", str(good)) == []
    result = shell.run("mappings", "check", str(good), str(bad), "--json")
    assert result.exit_code == 1
    (problem,) = json.loads(result.stdout)
    assert (problem["file"], problem["line"]) == (str(bad), 4)
    assert f"{bad}:4:" in shell.run("mappings", "check", str(bad)).stdout


def test_a_field_that_the_vendor_does_not_take_is_a_problem(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "braze.yaml").write_text(
        "connector: braze\nmessages:\n  fields:\n    trigger_propertys: {object: {code: code.code}}\n"
    )

    result = shell.run("mappings", "check", "braze", HUB_MAPPINGS_PATH=str(tmp_path))
    assert result.exit_code == 1
    assert "'trigger_properties'" in result.stdout


def test_a_mapping_preview_shows_the_change_and_where_each_value_came_from(shell: Shell) -> None:
    both = json.dumps([IDENTIFY, TRACK])
    first, second = map(json.loads, shell.text("mappings", "preview", "segment", given=both).splitlines())

    assert (first["source_id"], first["profile"]["email"]) == ("ada", "ada@example.com")
    assert first["lineage"]["profile.email"]["source"] == "traits.email"
    assert second["events"][0]["key"] == "signed_up"


def test_a_mapping_preview_filters_by_the_schemas_of_this_installation_and_knows_none_without_a_database(
    shell: Shell,
) -> None:
    message = json.dumps({**IDENTIFY, "traits": {"plan": "pro", "points": "many", "age": "36"}})
    free = json.loads(shell.text("mappings", "preview", "segment", given=message))
    assert free["profile"]["metadata"] == {"plan": "pro", "points": "many", "age": "36"}
    assert "schema_hash" not in free
    assert not (shell.folder / "hub.db").exists(), "a preview makes no database"

    shell.text("schema", "set", "-", given="profile: {properties: {points: number, age: number}}")
    kept = json.loads(shell.text("mappings", "preview", "segment", given=message))
    assert kept["profile"]["metadata"] == {"plan": "pro", "age": 36}
    assert [(one["code"], one["path"]) for one in kept["warnings"]] == [("schema_wrong_type", "metadata.points")]
    assert kept["lineage"]["profile.metadata.points"]["source"] == "traits.points", "where what was dropped came from"
    assert kept["schema_hash"] == shell.json("schema", "versions")[0]["hash"]

    away = {"HUB_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=2"}
    (shell.folder / "broken").mkdir()
    (shell.folder / "broken" / "hub.db").write_text("this is not a database, however long one looks at it")
    for environment in (away, {"HUB_DATA_DIR": str(shell.folder / "broken")}):
        result = shell.run("mappings", "preview", "segment", given=message, **environment)
        assert json.loads(result.stdout) == free
        assert "cannot be read, so no metadata schema was applied" in result.stderr


@pytest.mark.parametrize("vendor", ["braze", "klaviyo"])
def test_a_preview_prints_the_requests_a_message_would_lead_to(shell: Shell, vendor: str) -> None:
    given = f"{json.dumps(IDENTIFY)}\n{json.dumps(TRACK)}\n"
    arguments = ("preview", "--source", "segment", "--destination", vendor, "--set", "api_key=the-api-key")
    first = shell.text(*arguments, given=given)
    requests = [json.loads(line) for line in first.splitlines()]

    assert all(set(request) == {"method", "url", "headers", "body"} for request in requests)
    assert "ada@example.com" in first
    assert "Signed Up" in first
    assert "the-api-key" not in first
    assert "***" in first
    assert shell.text(*arguments, given=given) == first, "the same input prints the same"
    assert not (shell.folder / "hub.db").exists(), "a preview needs no installation"


def test_a_preview_of_nothing_says_why(shell: Shell) -> None:
    anonymous = json.dumps({**IDENTIFY, "userId": None})
    result = shell.run("preview", "--source", "segment", "--destination", "braze", given=anonymous)

    assert result.exit_code == 1
    assert "ignored: anonymous" in result.stderr
    assert "is not a source" in shell.error("preview", "--source", "braze", "--destination", "braze", given="{}")
    assert "no connector 'nobody'" in shell.error(
        "preview", "--source", "segment", "--destination", "nobody", given="{}"
    )


def test_a_preview_takes_a_file_operations_and_options(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "message.json"
    file.write_text(json.dumps(IDENTIFY))
    arguments = ("preview", "--source", "segment", "--destination", "braze", "--file", str(file))
    options = ("--operation", "messages", "--option", "campaign_id=mine", "--set", "hosts.api=http://127.0.0.1:9")
    (message,) = [json.loads(line) for line in shell.text(*arguments, *options).splitlines()]

    assert message["url"] == "http://127.0.0.1:9/campaigns/trigger/send"
    assert message["body"]["campaign_id"] == "mine"
    assert message["body"]["recipients"][0]["external_user_id"] == "ada"
    assert "EXAMPLE" in json.dumps(message["body"])
    assert "no option 'campain_id'" in shell.error(*arguments, "--option", "campain_id=mine")
    assert shell.run(*arguments, "--operation", "mesages").exit_code == 2


def test_connectors_are_begun_checked_and_reloaded(shell: Shell, tmp_path: Path) -> None:
    shell.text("connectors", "new", "acme", "--into", str(tmp_path))
    table = shell.text("connectors", "check", str(tmp_path / "acme"))
    last = table.splitlines()[-1]
    assert last.split()[0] == last.split()[2], last
    assert "✓ survives-each-step" in table

    shell.text("connectors", "new", "acme", "--into", str(tmp_path / "broken"))
    connector = tmp_path / "broken" / "acme" / "connector.py"
    connector.write_text(connector.read_text().replace("batch.records]", "batch.records[1:]]"))
    result = shell.run("connectors", "check", "acme", "--json", HUB_CONNECTORS_PATH=str(tmp_path / "broken"))
    assert result.exit_code == 1
    broken = {row["check"]: row["problem"] for row in json.loads(result.stdout) if row["problem"]}
    assert "without an outcome for 1 of its records" in broken["three-records-together"]

    assert "No role is running" in shell.text("connectors", "reload")


# ── the program ──────────────────────────────────────────────────────────────────────────────────────────────────


def program(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    return subprocess.run(
        [sys.executable, "-m", "hub", *arguments],
        env={**kept, "HUB_DATA_DIR": str(folder), "PYTHONPATH": str(ROOT), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_program_makes_its_tables_and_answers(tmp_path: Path) -> None:
    done = program(tmp_path, "sources", "add", "segment", "--name", "web", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["webhook_url"].startswith("http://127.0.0.1:8080/in/")
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o077 == 0, f"{path.name} is for nobody else: it holds personal data"
    failed = program(tmp_path, "sources", "show", "nobody")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == "Error: There is no source 'nobody'; `hub sources list` shows those there are.\n"


def test_the_program_survives_a_reader_that_stops_reading(tmp_path: Path) -> None:
    command = f"{sys.executable} -m hub settings | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env={**os.environ, "HUB_DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr


def test_help_needs_no_heavy_library(tmp_path: Path) -> None:
    code = (
        "import sys; from click.testing import CliRunner; from hub.cli import hub;"
        "assert CliRunner().invoke(hub, ['--version']).exit_code == 0;"
        "print([name for name in ('sqlalchemy', 'flask', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path,
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_every_command_module_exists() -> None:
    import importlib
    from keyword import iskeyword

    for command, module in MODULES.items():
        name = f"{command}_" if iskeyword(command) else command
        assert hasattr(importlib.import_module(f"hub.cli.{module}"), name)


def test_a_mistyped_command_is_told_with_the_nearest_ones(shell: Shell) -> None:
    for typed, meant in (("souces", "sources"), ("distribution", "distributions"), ("dead", "`hub --help`")):
        result = shell.run(typed, "list")
        assert result.exit_code == 2
        assert f"There is no command {typed!r};" in result.stderr
        assert meant in result.stderr


def test_another_database_than_the_two_is_told_by_name(shell: Shell) -> None:
    told = shell.error("sources", "list", HUB_DATABASE_URL="mysql://hub:the-password@db/hub")
    assert "HUB_DATABASE_URL names mysql" in told
    assert "the-password" not in told


@pytest.mark.parametrize(
    "line", ["sources list", "log", "deliveries list", "campaigns list", "profiles list", "schema show"]
)
def test_a_command_that_only_reads_makes_no_hub(shell: Shell, line: str) -> None:
    nowhere = shell.folder / "not-here-yet"
    result = shell.run(*line.split(), "--json", HUB_DATA_DIR=str(nowhere))
    assert (result.exit_code, result.stdout.strip()) in {(0, "[]"), (0, "")}
    assert f"There is no hub in {nowhere} yet" in result.stderr
    assert not nowhere.exists()


@pytest.mark.parametrize(
    "line", ["ledger check", "replay messages", "replay deliveries", "connectors reload", "destinations check braze"]
)
def test_a_command_that_looks_or_repeats_makes_no_hub(shell: Shell, line: str) -> None:
    nowhere = shell.folder / "not-here-yet"
    assert f"There is no hub in {nowhere} yet" in shell.run(*line.split(), HUB_DATA_DIR=str(nowhere)).stderr
    assert not nowhere.exists()


def test_where_there_is_no_hub_nothing_is_backed_up(shell: Shell) -> None:
    nowhere, copies = shell.folder / "not-here-yet", shell.folder / "copies"
    assert f"There is no hub in {nowhere}" in shell.error("backup", str(copies), HUB_DATA_DIR=str(nowhere))
    assert not nowhere.exists()
    assert not copies.exists()


@pytest.mark.parametrize("command", [("serve",), ("run", "web")])
def test_a_taken_port_ends_a_hub_before_anything_of_it_starts(shell: Shell, command: tuple[str, ...]) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        told = shell.error(*command, HUB_PORT=port)

    assert told.startswith(f"Port {port} of 127.0.0.1 is taken by process {os.getpid()} (")
    assert told.endswith("; stop that, or choose another port with HUB_PORT.")
    assert not (shell.folder / "hub.db").exists(), "it ended before it made its tables"


def test_a_sandbox_whose_port_is_taken_says_so(shell: Shell) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        told = shell.error("sandbox", "--port", str(port - 1))

    assert told.startswith(f"Port {port} of 127.0.0.1 is taken by process {os.getpid()} (")
    assert told.endswith("choose another port with --port.")
    assert "--host 'no-such.invalid' cannot be resolved" in shell.error("sandbox", "--host", "no-such.invalid")
