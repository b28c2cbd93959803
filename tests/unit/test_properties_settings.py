"""Any environment gives settings that can be used, or a refusal that names the variables and no secret."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.settings import Settings, SettingsRefused, load_database_settings, load_settings
from tests.strategies import TEXTS

NAMES = [name.upper() for name in Settings.model_fields]
SECRETS = {
    *("RUNWARE_API_KEY", "WEBHOOK_SECRET", "SERVICE_TOKEN"),
    *("SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_JWT_SECRET"),
}
PLAUSIBLE = st.sampled_from(
    [
        *("0", "1", "-1", "1e9", "nan", "inf", "true", "off", "720p", "4K", "json", "127.0.0.1", "::1", "*"),
        *("https://abc.supabase.co", "http://localhost:8000", "https://clips.example", "http://[", "/", "."),
        *("google:3@2", "google:3@3,klingai:kling-video@3-pro", '{"seed": 7}', "{", "[]", ",", "..", "a/.."),
        *("sb_secret_of-the-test-project", "sb_publishable_x", "0123456789abcdef" * 2, "0.0.0.0"),
    ]
)
ENVIRONMENTS = st.dictionaries(st.sampled_from(NAMES), PLAUSIBLE | TEXTS, max_size=8)


@given(ENVIRONMENTS)
@example({"DATABASE_PATH": "/"})
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_environment_gives_settings_or_names_the_variables(
    tmp_path: Path, environment: Mapping[str, str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        for name in NAMES:
            patch.delenv(name, raising=False)
        patch.setenv("RUNWARE_API_KEY", "a-key")
        for name, value in environment.items():
            patch.setenv(name, value)
        _assert_used_or_refused(environment)


def _assert_used_or_refused(environment: Mapping[str, str]) -> None:
    refusal = ""
    try:
        load_database_settings()
        _use(load_settings({}))
    except SettingsRefused as refused:
        refusal = str(refused)
    assert all(any(name in line for name in NAMES) for line in refusal.splitlines())
    open_values = " ".join(value for name, value in environment.items() if name not in SECRETS)
    secrets = [value for name, value in environment.items() if name in SECRETS and len(value) > 8]
    assert not [value for value in secrets if value in refusal and value not in open_values]


def _use(made: Settings) -> None:
    assert made.catalogue.settings(None).model == made.runware_model
    assert made.frames_delivery.sentence
    assert made.uploads_path.parent == made.database_path.parent
    assert made.runware_api_key.get_secret_value() in made.secrets
    assert made.token_issuer
