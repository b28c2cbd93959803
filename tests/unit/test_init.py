"""What `clips init` writes: read back by the settings themselves, with no secret that is not needed."""

import re
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.init.answers import Answers, SupabaseProject, env_text, next_steps, secrets_for
from service.init.files import write_privately
from service.init.questions import judged
from service.settings import Settings

EXAMPLE = (Path(__file__).parents[2] / "deploy" / ".env.example").read_text("utf-8")
KEY = "key-of-an-account"
HERE = Answers(KEY)
PUBLIC = Answers(KEY, port=9000, public_url="https://clips.example.com")
IN_A_CONTAINER = Answers(KEY, host="0.0.0.0")
ON_SUPABASE = Answers(
    KEY,
    public_url="https://clips.example.com",
    supabase=SupabaseProject("https://abc.supabase.co", "sb_secret_0123456789abcdef", "sb_publishable_0123"),
)
ALL = [HERE, PUBLIC, IN_A_CONTAINER, ON_SUPABASE]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to start the service in, in which the environment says nothing."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read_back(folder: Path, answers: Answers) -> Settings:
    (folder / ".env").write_text(env_text(answers, secrets_for(answers, {})), "utf-8")
    return Settings()


@pytest.mark.parametrize("answers", ALL)
def test_settings_read_back_what_was_answered(folder: Path, answers: Answers) -> None:
    found = read_back(folder, answers)
    assert found.runware_api_key.get_secret_value() == KEY
    assert (found.port, found.public_url) == (answers.port, answers.public_url)
    assert found.host == (answers.host or "127.0.0.1")
    assert found.supabase_url == (answers.supabase and answers.supabase.url)
    assert bool(found.service_token) is (answers is not HERE)
    assert bool(found.webhook_secret) is (answers.public_url is not None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(key=st.from_regex(r"[!-~]{1,40}", fullmatch=True).filter(lambda key: "${" not in key))
def test_any_key_is_read_back_as_it_was_typed(folder: Path, key: str) -> None:
    assert read_back(folder, Answers(key)).runware_api_key.get_secret_value() == key


def test_secrets_of_before_are_kept_and_new_ones_differ() -> None:
    made = secrets_for(PUBLIC, {"SERVICE_TOKEN": "token-of-before-0123"})
    assert made["SERVICE_TOKEN"] == "token-of-before-0123"
    assert made["WEBHOOK_SECRET"] != secrets_for(PUBLIC, {})["WEBHOOK_SECRET"]
    assert len(made["WEBHOOK_SECRET"]) == 64


def test_service_for_this_machine_alone_has_no_token_to_type() -> None:
    assert secrets_for(HERE, {"SERVICE_TOKEN": "token-of-before-0123"}) == {}
    assert secrets_for(Answers(KEY, public_url="http://localhost:8000"), {}).keys() == {"WEBHOOK_SECRET"}


@pytest.mark.parametrize("answers", ALL)
def test_every_variable_that_is_written_is_explained_by_the_example(answers: Answers) -> None:
    written = re.findall(r"^([A-Z_]+)=", env_text(answers, secrets_for(answers, {})), re.MULTILINE)
    assert written
    assert set(written) <= set(re.findall(r"^(?:# )?([A-Z_]+)=", EXAMPLE, re.MULTILINE))


def test_next_steps_name_the_page_and_what_it_asks_for() -> None:
    assert "Open the page: http://localhost:8000" in next_steps(HERE, "clips", well=True)
    (page,) = (step for step in next_steps(PUBLIC, "clips", well=True) if step.startswith("Open"))
    assert "https://clips.example.com" in page
    assert "SERVICE_TOKEN" in page


def test_failed_check_comes_first_in_the_next_steps() -> None:
    assert next_steps(HERE, "clips", well=False)[0] == "Mend what failed above, then see: clips doctor"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("public_url", "clips.example.com", "PUBLIC_URL is wrong: write a whole http"),
        ("port", "70000", "PORT is wrong"),
        ("supabase_service_role_key", "sb_publishable_0123", "not the service role key"),
    ],
)
def test_answer_that_the_settings_would_refuse_is_refused_when_it_is_given(
    name: str, value: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        judged(name, value)


def test_file_is_its_owners_alone_whatever_was_there(tmp_path: Path) -> None:
    path, left = tmp_path / ".env", tmp_path / ".env.new"
    for old in (path, left):
        old.write_bytes(b"\xff old")
        old.chmod(0o644)
    backup = write_privately(path, "NEW=1\n")
    assert backup is not None
    assert (path.read_text("utf-8"), backup.read_bytes()) == ("NEW=1\n", b"\xff old")
    assert [stat.S_IMODE(file.stat().st_mode) for file in (path, backup)] == [0o600, 0o600]
    assert sorted(file.name for file in tmp_path.iterdir()) == [".env", ".env.backup-1"]


def test_each_backup_is_kept(tmp_path: Path) -> None:
    kept = [write_privately(tmp_path / ".env", text) for text in ("A=1\n", "A=2\n", "A=3\n")]
    assert kept[0] is None
    assert [path and path.read_text("utf-8") for path in kept[1:]] == ["A=1\n", "A=2\n"]
