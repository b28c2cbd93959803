import re
from pathlib import Path

import jwt
import pytest
from pydantic import ValidationError

from service.settings import (
    LOOPBACK_ORIGINS,
    IsolatedSettings,
    Settings,
    SettingsRefused,
    load_settings,
    misspelt_environment,
)
from tests.builders import FAST, LITE, VEO

ENV_EXAMPLE = Path(__file__).parents[2] / "deploy" / ".env.example"
SECRET = "0123456789abcdef"
SUPABASE = {
    "SUPABASE_URL": "https://abc.supabase.co",
    "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_of-the-test-project",
}


def api_key(role: str) -> str:
    """An API key of the old form."""
    return jwt.encode({"role": role}, SECRET * 2, "HS256")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("RUNWARE_API_KEY", "a-key")


@pytest.mark.parametrize("hosts", ["*.runware.ai,127.0.0.1", "::1", "cdn-*.example"])
def test_video_hosts_are_names_addresses_and_patterns(monkeypatch: pytest.MonkeyPatch, hosts: str) -> None:
    monkeypatch.setenv("VIDEO_HOSTS", hosts)
    assert load_settings({}).video_hosts == tuple(hosts.split(","))


def refusal(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsRefused) as refused:
        load_settings({})
    return str(refused.value)


def test_default_model_may_always_be_chosen_and_stands_first_if_it_is_not_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [model.air for model in load_settings({}).catalogue.models] == [VEO, FAST, LITE]
    monkeypatch.setenv("RUNWARE_MODELS", f"{LITE},{FAST},{LITE}")
    assert [model.air for model in load_settings({}).catalogue.models] == [VEO, LITE, FAST]
    monkeypatch.setenv("RUNWARE_MODEL", FAST)
    assert [model.air for model in load_settings({}).catalogue.models] == [LITE, FAST]


def test_model_of_the_operators_own_is_used_as_veo_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNWARE_MODEL", "google:veo@9")
    monkeypatch.setenv("RUNWARE_RESOLUTION", "4K")
    catalogue = load_settings({}).catalogue
    assert catalogue.settings(None) == load_settings({}).generation
    assert list(catalogue.model("google:veo@9").durations_s) == [4, 6, 8]


def test_default_resolution_gives_way_to_the_models_own_unless_it_was_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RUNWARE_MODEL", "klingai:kling-video@3-pro")
    assert load_settings({}).catalogue.settings(None).resolution == "1080p"
    assert "set it to one of 1080p" in refusal(monkeypatch, RUNWARE_RESOLUTION="720p")
    assert "take it out" in refusal(monkeypatch, RUNWARE_MODEL="vidu:3@1")


def test_defaults_are_those_that_are_documented() -> None:
    settings = load_settings({})
    assert settings.runware_api_url == "https://api.runware.ai/v1"
    assert (settings.runware_model, settings.runware_resolution) == ("google:3@2", "720p")
    assert (settings.runware_batch_size, settings.runware_concurrency) == (25, 4)
    assert (settings.poll_interval_seconds, settings.clip_timeout_seconds) == (10, 1800)
    assert settings.video_hosts == ("*.runware.ai",)
    assert (settings.host, settings.database_path) == ("127.0.0.1", Path("clips.db"))
    assert settings.allowed_origins == LOOPBACK_ORIGINS


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("RUNWARE_API_KEY", " ", "dashboard"),
        ("RUNWARE_API_URL", "api.runware.ai", "http(s) URL"),
        ("RUNWARE_RESOLUTION", "480p", "set it to one of 720p, 1080p, 4K"),
        ("RUNWARE_RESOLUTION", "8K", "720p"),
        ("RUNWARE_MODELS", "google:3@2,veo", "google:3@2"),
        ("RUNWARE_TTL_SECONDS", "59", "'59' is not a whole number of 60 or more."),
        ("RUNWARE_BATCH_SIZE", "0", "'0' is not a whole number from 1 to 1000."),
        ("RUNWARE_CONCURRENCY", "many", "'many' is not a whole number from 1 to 64."),
        ("DATABASE_PATH", "/", "the path of a file"),
        ("DATABASE_PATH", "data/..", "the path of a file"),
        ("RUNWARE_EXTRA", "{", "JSON object"),
        ("RUNWARE_EXTRA", "[]", "dictionary"),
        ("RUNWARE_EXTRA", '{"taskUUID": "x"}', "take taskUUID out"),
        ("RUNWARE_API_KEY", "abc\ndef", "without spaces"),
        ("PUBLIC_URL", "https://clips.example", "WEBHOOK_SECRET"),
        ("PUBLIC_URL", "https://clips.example?x=1", "without"),
        ("PUBLIC_URL", "https://user:pw@clips.example", "without a user"),
        ("WEBHOOK_SECRET", f"{SECRET},short", "openssl rand -hex 32"),
        ("SERVICE_TOKEN", "short", "openssl rand -hex 32"),
        ("ALLOWED_ORIGINS", "app.example", "https://app.example.com"),
        ("ALLOWED_ORIGINS", "https://app.example/path", "without a path"),
        ("ALLOWED_ORIGINS", "https://app.example.*", "write out how each host ends"),
        ("ALLOWED_ORIGINS", "http://localhost*:*", "write out how each host ends"),
        ("VIDEO_HOSTS", "*", "*.runware.ai"),
        ("VIDEO_HOSTS", "https://im.runware.ai", "without scheme"),
        ("VIDEO_HOSTS", "127.0.0.1:8001", "port"),
        ("POLL_INTERVAL_SECONDS", "0", "'0' is not a number above 0, 600 at most."),
        ("CLIP_TIMEOUT_SECONDS", "-5", "'-5' is not a number above 0"),
        ("PORT", "65536", "65535"),
        ("PORT", "abc", "PORT is wrong: 'abc' is not a whole number from 0 to 65535."),
        ("PROMPT_DIALOGUE", "perhaps", "'perhaps' is not true or false."),
        ("LOG_FORMAT", "xml", "'xml' is not one of auto, console or json."),
        ("HOST", "0.0.0.0", "SERVICE_TOKEN"),
        ("HOST", "::", "SERVICE_TOKEN"),
        ("HOST", "clips.internal", "SERVICE_TOKEN"),
    ],
)
def test_wrong_value_is_refused_with_its_variable_and_the_remedy(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, remedy: str
) -> None:
    message = refusal(monkeypatch, **{name: value})
    assert name in message
    assert remedy in message


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"SUPABASE_URL": SUPABASE["SUPABASE_URL"]}, "SUPABASE_SERVICE_ROLE_KEY is not"),
        ({"SUPABASE_SERVICE_ROLE_KEY": api_key("service_role")}, "set SUPABASE_URL"),
        ({"SUPABASE_JWT_SECRET": SECRET * 2}, "SUPABASE_JWT_SECRET means nothing"),
        ({"SUPABASE_ANON_KEY": api_key("anon")}, "SUPABASE_ANON_KEY means nothing"),
        ({"SUPABASE_JWT_ISSUER": "https://auth.example"}, "SUPABASE_JWT_ISSUER means nothing"),
        ({"ALLOW_ANON": "true"}, "ALLOW_ANON means nothing"),
        ({**SUPABASE, "SUPABASE_SERVICE_ROLE_KEY": api_key("anon")}, "not the one that it calls anon"),
        ({**SUPABASE, "SUPABASE_SERVICE_ROLE_KEY": "sb_publishable_x"}, "not the one that it calls anon"),
        ({**SUPABASE, "SUPABASE_SERVICE_ROLE_KEY": "eyJhbGciOiJIUzI1NiIs"}, "or not all of it"),
        ({**SUPABASE, "SUPABASE_ANON_KEY": api_key("service_role")}, "copy the anon or publishable one"),
        ({**SUPABASE, "SUPABASE_JWT_SECRET": "x" * 31}, "SUPABASE_JWT_SECRET is wrong"),
    ],
)
def test_supabase_settings_that_do_not_fit_together_are_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: str
) -> None:
    message = refusal(monkeypatch, **variables)
    assert named in message
    assert not any(value in message for name, value in variables.items() if name.endswith(("KEY", "SECRET")))


def test_public_key_may_be_several_and_none_of_them_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = (api_key("anon"), "sb_publishable_of-the-test-project")
    for name, value in {**SUPABASE, "SUPABASE_ANON_KEY": ", ".join(keys)}.items():
        monkeypatch.setenv(name, value)
    assert load_settings({}).supabase_anon_key == keys
    mixed = ",".join((keys[0], api_key("service_role")))
    message = refusal(monkeypatch, SUPABASE_ANON_KEY=mixed)
    assert "SUPABASE_ANON_KEY is wrong" in message
    assert "copy the anon or publishable one" in message
    assert keys[0] not in message


@pytest.mark.parametrize("key", ["sb_secret_of-the-test-project", api_key("service_role")])
def test_with_supabase_no_token_is_needed_beyond_loopback(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    for name, value in {**SUPABASE, "SUPABASE_SERVICE_ROLE_KEY": key}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    settings = load_settings({"host": "0.0.0.0", "public_url": "https://clips.example"})
    assert settings.service_token is None
    assert settings.allow_anon is False


def test_tokens_are_issued_by_the_project_unless_another_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SUPABASE.items():
        monkeypatch.setenv(name, value)
    assert load_settings({}).token_issuer == "https://abc.supabase.co/auth/v1"
    assert (
        load_settings({"supabase_jwt_issuer": "https://auth.example"}).token_issuer == "https://auth.example"
    )


def test_missing_key_is_told_with_where_to_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNWARE_API_KEY")
    assert refusal(monkeypatch).startswith("RUNWARE_API_KEY is not set.")


def test_address_that_leads_here_from_elsewhere_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(monkeypatch, PUBLIC_URL="https://clips.example", WEBHOOK_SECRET=SECRET)
    assert "SERVICE_TOKEN" in message
    assert load_settings({"public_url": "http://127.0.0.1:8000"}).public_url


def test_every_wrong_variable_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(refusal(monkeypatch, PORT="x", RUNWARE_BATCH_SIZE="x", VIDEO_HOSTS="/").splitlines()) == 3


def test_refusal_never_shows_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hunter2" not in refusal(monkeypatch, WEBHOOK_SECRET="hunter2", SERVICE_TOKEN="hunter2")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback_needs_no_token(host: str) -> None:
    assert load_settings({"host": host}).host == host


def test_beyond_loopback_a_token_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", SECRET)
    assert load_settings({"host": "0.0.0.0"}).host == "0.0.0.0"


def test_secrets_are_hidden_wherever_settings_are_shown() -> None:
    settings = IsolatedSettings(
        runware_api_key="the-api-key",
        webhook_secret=SECRET,
        service_token=SECRET[::-1],
        supabase_url=SUPABASE["SUPABASE_URL"],
        supabase_service_role_key=SUPABASE["SUPABASE_SERVICE_ROLE_KEY"],
        supabase_jwt_secret="the-shared-secret-of-the-project",
    )
    shown = f"{settings!r} {settings} {settings.model_dump_json()}"
    assert not any(secret in shown for secret in settings.secrets)
    assert len(settings.secrets) == 5


@pytest.mark.parametrize(
    ("written", "close"),
    [
        ("RUNWARE_API_KY", "RUNWARE_API_KEY"),
        ("RUNWARE_KEY", "RUNWARE_API_KEY"),
        ("RUNWARE_MODLES", "RUNWARE_MODELS"),
        ("POLL_INTERVAL", "POLL_INTERVAL_SECONDS"),
        ("SUPABASE_ANON_KY", "SUPABASE_ANON_KEY"),
        ("service_tokn", "SERVICE_TOKEN"),
        ("PROT", "PORT"),
    ],
)
def test_misspelt_setting_in_dot_env_is_refused_with_its_line_and_the_one_that_was_meant(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: str, close: str
) -> None:
    monkeypatch.delenv("RUNWARE_API_KEY")
    (tmp_path / ".env").write_text(f"# Ours.\nLOG_FORMAT=json\n{written}=hunter2\n", "utf-8")
    with pytest.raises(SettingsRefused) as refused:
        load_settings({"runware_api_key": "a-key"})
    assert str(refused.value) == f"Line 3 of .env sets {written}, which is no setting. Did you mean {close}?"
    assert misspelt_environment({written: "hunter2"}) == {written: close}


@pytest.mark.parametrize(
    "name",
    [
        *("DATABASE_URL", "ALLOWED_HOSTS", "DB_HOST", "HOSTNAME", "OPENAI_API_KEY", "WEBHOOK_URL"),
        *(
            "VITE_SUPABASE_URL",
            "NEXT_PUBLIC_SUPABASE_ANON_KEY",
            "SUPABASE_SERVICE_KEY",
            "RUNWARE_IMAGE_MODEL",
        ),
        *("CLIPS_URL", "CLIPS_TOKEN", "runware_api_key"),
    ],
)
def test_name_of_another_program_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / ".env").write_text(f"{name}=x\n", "utf-8")
    assert load_settings({}).port == 8000
    assert misspelt_environment({name: "x"}) == {}


def test_name_close_to_a_setting_that_is_given_beside_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SUPABASE_JWT_SECRETS=x\nLOG_FORMATS=x\nLOG_FORMAT=json\n", "utf-8")
    with pytest.raises(SettingsRefused) as refused:
        load_settings({})
    assert str(refused.value).startswith("Line 1 of .env sets SUPABASE_JWT_SECRETS")
    assert len(str(refused.value).splitlines()) == 1


def test_isolated_settings_do_not_read_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1")
    assert IsolatedSettings(runware_api_key="k").port == 8000
    with pytest.raises(ValidationError):
        IsolatedSettings()


def test_example_documents_every_setting_with_its_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", ENV_EXAMPLE.read_text("utf-8"), re.MULTILINE)
    assert sorted(name for name, _ in settings) == sorted(name.upper() for name in Settings.model_fields)
    (tmp_path / ".env").write_text("\n".join(f"{name}={value}" for name, value in settings), "utf-8")
    monkeypatch.setenv("RUNWARE_API_KEY", "a-key")
    defaults = IsolatedSettings(runware_api_key="a-key")
    assert load_settings({}).model_dump() == defaults.model_dump()
