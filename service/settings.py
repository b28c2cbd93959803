import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from service.addresses import http_url, is_loopback
from service.apikeys import KeyKind, claimed_kind
from service.clips.catalogue import Catalogue
from service.clips.frames import FramesDelivery, frames_delivery
from service.clips.models import GenerationSettings
from service.clips.prompts import PromptRules
from service.errors import ServiceError
from service.runware.models import video_model
from service.runware.tasks import RESERVED_KEYS
from service.settings_words import misspelt, misspelt_lines, refused_setting

# A shorter secret than this can be guessed by machine; `openssl rand -hex 32` gives 64.
_MIN_SECRET_LENGTH = 16
# RFC 7518, section 3.2: as long as the hash of HS256.
_MIN_JWT_SECRET_BYTES = 32
ENV_FILE = ".env"
LOOPBACK_ORIGINS = ("http://localhost:*", "http://127.0.0.1:*")


class SettingsRefused(ServiceError):
    """The settings can't be used. Each line names a variable and the remedy, and holds no secret."""

    code = "settings_refused"


def _split(value: object) -> object:
    """Read a comma-separated list."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < _MIN_SECRET_LENGTH:
        raise ValueError(
            f"it needs {_MIN_SECRET_LENGTH} characters or more; make one with: openssl rand -hex 32"
        )
    return secret


def _jwt_secret(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) < _MIN_JWT_SECRET_BYTES:
        raise ValueError(f"it has {_MIN_JWT_SECRET_BYTES} characters or more: copy it whole from Supabase")
    return secret


def _service_role_key(key: SecretStr) -> SecretStr:
    if claimed_kind(key.get_secret_value()) is not KeyKind.SERVICE:
        raise ValueError(
            "it is not the service role key, or not all of it: copy the one that Supabase calls service_role "
            "or secret, not the one that it calls anon or publishable"
        )
    return key


def _public_key(key: str) -> str:
    if claimed_kind(key) is KeyKind.SERVICE:
        raise ValueError("it is the service role key, which is secret: copy the anon or publishable one")
    return key


def _json_object(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f"write a JSON object, such as {{}}: {error}") from error


def _unreserved(extra: dict[str, Any]) -> dict[str, Any]:
    if reserved := sorted(RESERVED_KEYS & extra.keys()):
        raise ValueError(f"take {', '.join(reserved)} out: the service sets it for each task")
    return extra


def _air(air: str) -> str:
    if not re.fullmatch(r"[\w.-]+:[\w.-]+@[\w.-]+", air):
        raise ValueError("write AIRs such as google:3@2, separated by commas")
    return air


def _origin(origin: str) -> str:
    if origin != "*" and not re.fullmatch(r"https?://[^/,\s]+", origin):
        raise ValueError("write origins such as https://app.example.com, without a path, or *")
    if origin != "*" and origin.removesuffix(":*").endswith("*"):
        raise ValueError("write out how each host ends: a star there would let in strangers' hosts")
    return origin


def _host_pattern(pattern: str) -> str:
    name = re.fullmatch(r"[\w.*-]+", pattern) and pattern.strip("*.")
    if not name and not re.fullmatch(r"[0-9a-fA-F]*:[0-9a-fA-F:.]+", pattern):
        raise ValueError("write host names such as *.runware.ai, without scheme, port or path")
    return pattern


def _file(path: Path) -> Path:
    if path.name in ("", ".."):
        raise ValueError("write the path of a file, such as /data/clips.db, not of a folder")
    return path


HttpURL = Annotated[str, AfterValidator(http_url)]
Secret = Annotated[SecretStr, AfterValidator(_long_enough)]
CommaSeparated = (NoDecode, BeforeValidator(_split))


class DatabaseSettings(BaseSettings):
    """Where the state is kept: all that a command needs which looks at the database alone."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    supabase_url: HttpURL | None = Field(
        default=None,
        description="The Supabase project that keeps the state and whose users may call, such as "
        "https://abc.supabase.co.",
    )
    supabase_service_role_key: Annotated[SecretStr, AfterValidator(_service_role_key)] | None = Field(
        default=None, description="The project's service_role or secret key; goes with SUPABASE_URL."
    )
    database_path: Annotated[Path, AfterValidator(_file)] = Field(
        Path("clips.db"), description="File of the embedded database; not used with SUPABASE_URL."
    )

    def _only_with_supabase(self) -> Mapping[str, object]:
        """Give the settings, by name, that mean nothing without a Supabase project."""
        return {"SUPABASE_SERVICE_ROLE_KEY": self.supabase_service_role_key}

    @model_validator(mode="after")
    def _supabase_is_whole(self) -> Self:
        dependent = [name for name, value in self._only_with_supabase().items() if value]
        if self.supabase_url is None and dependent:
            raise ValueError(
                f"{', '.join(dependent)} means nothing without a Supabase project: set SUPABASE_URL to "
                "the project's address, such as https://abc.supabase.co, or take it out"
            )
        if self.supabase_url is not None and self.supabase_service_role_key is None:
            raise ValueError(
                "SUPABASE_URL is set, but SUPABASE_SERVICE_ROLE_KEY is not: "
                "copy the service_role or secret key from the project's API settings"
            )
        return self


class Settings(DatabaseSettings):
    """All that an installation decides: from the command line, else the environment, else `.env`."""

    runware_api_key: SecretStr = Field(description="The account's key, from Runware's dashboard.")
    runware_api_url: HttpURL = Field("https://api.runware.ai/v1", description="Where Runware's API is.")
    runware_model: str = Field(
        "google:3@2", min_length=1, description="Model where nobody chose; google:3@2 is Veo 3.1."
    )
    runware_models: Annotated[tuple[Annotated[str, AfterValidator(_air)], ...], *CommaSeparated] = Field(
        default=("google:3@2", "google:3@3", "google:veo@3.1-lite"),
        description="Models that may be chosen, comma-separated; RUNWARE_MODEL always may.",
    )
    runware_resolution: Literal["360p", "480p", "540p", "720p", "1080p", "4K"] = Field(
        "720p", description="Resolution where nobody chose, if the model has it."
    )
    runware_generate_audio: bool = Field(
        default=False, description="Let the model make sound where nobody chose; it costs more."
    )
    runware_ttl_seconds: int | None = Field(
        default=None,
        ge=60,
        description="How long links to videos live; Runware's own time, of some 30 days, unless set.",
    )
    prompt_dialogue: bool = Field(
        default=True, description="Have the scene's dialogue spoken where sound is on."
    )
    runware_batch_size: int = Field(25, ge=1, le=1000, description="Tasks in one request.")
    runware_concurrency: int = Field(
        4, ge=1, le=64, description="Submissions to Runware at a time; half as many questions."
    )
    runware_extra: Annotated[
        dict[str, Any], NoDecode, BeforeValidator(_json_object), AfterValidator(_unreserved)
    ] = Field(default_factory=dict, description="JSON object merged into each task (RFC 7396: null removes).")

    public_url: HttpURL | None = Field(
        default=None,
        description="The service's address as Runware reaches it. Without it the poller does all the work.",
    )
    webhook_secret: Annotated[tuple[Secret, ...], *CommaSeparated] = Field(
        default=(), description="Secrets of the callback URLs, comma-separated: the first signs, all verify."
    )
    service_token: Secret | None = Field(
        default=None,
        description="Token that callers send as Authorization: Bearer; required beyond loopback.",
    )
    supabase_jwt_secret: Annotated[SecretStr, AfterValidator(_jwt_secret)] | None = Field(
        default=None, description="The project's shared secret, if it still signs tokens by one (HS256)."
    )
    supabase_anon_key: Annotated[tuple[Annotated[str, AfterValidator(_public_key)], ...], *CommaSeparated] = (
        Field(
            default=(),
            description="The project's public keys, anon or publishable, comma-separated; the page and "
            "ALLOW_ANON need one.",
        )
    )
    supabase_jwt_issuer: str | None = Field(
        default=None, description="Who issues the users' tokens; SUPABASE_URL/auth/v1 unless set."
    )
    allow_anon: bool = Field(default=False, description="Let callers without an account in; they spend too.")
    allowed_origins: Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], *CommaSeparated] = Field(
        default=LOOPBACK_ORIGINS,
        description="Web origins that may call, comma-separated; * is part of a host's name, or any port.",
    )
    video_hosts: Annotated[tuple[Annotated[str, AfterValidator(_host_pattern)], ...], *CommaSeparated] = (
        Field(default=("*.runware.ai",), description="Hosts that videos may lie at, comma-separated.")
    )

    poll_interval_seconds: float = Field(10, gt=0, le=600, description="How often the poller looks.")
    clip_timeout_seconds: float = Field(
        1800, gt=0, le=86_400, description="How long after its submission a clip is given up."
    )
    submission_grace_seconds: float = Field(
        60,
        ge=1,
        le=3600,
        description="How long a task that was sent may be unknown to Runware before it is sent again.",
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="console, json, or auto: console on a terminal, else json."
    )

    @property
    def generation(self) -> GenerationSettings:
        """What is made where nobody chose; it goes into the task, and so into a clip's fingerprint."""
        return GenerationSettings(
            model=self.runware_model,
            resolution=self.runware_resolution,
            generate_audio=self.runware_generate_audio,
            extra=self.runware_extra,
        )

    @property
    def prompts(self) -> PromptRules:
        """What decides about prompts, and so goes into the fingerprint with them."""
        return PromptRules(speak_dialogue=self.prompt_dialogue)

    @property
    def catalogue(self) -> Catalogue:
        """The models that may be chosen, and what is made where nobody chose."""
        airs = dict.fromkeys(self.runware_models)
        if self.runware_model not in airs:
            airs = {self.runware_model: None, **airs}
        return Catalogue([video_model(air) for air in airs], self.generation)

    @property
    def uploads_path(self) -> Path:
        """The folder of the uploaded frames: beside the database, and named after it."""
        return self.database_path.with_name(f"{self.database_path.stem}-uploads")

    @property
    def frames_delivery(self) -> FramesDelivery:
        """How uploaded frames get to Runware."""
        return frames_delivery(self.public_url, self.supabase_url)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that must never be shown."""
        held = [
            self.runware_api_key,
            *self.webhook_secret,
            self.service_token,
            self.supabase_service_role_key,
            self.supabase_jwt_secret,
        ]
        return tuple(secret.get_secret_value() for secret in held if secret is not None)

    @property
    def token_issuer(self) -> str:
        """Whom the tokens of the users of `supabase_url` name as their issuer."""
        return self.supabase_jwt_issuer or f"{self.supabase_url}/auth/v1"

    def _only_with_supabase(self) -> Mapping[str, object]:
        return {
            **super()._only_with_supabase(),
            "SUPABASE_JWT_SECRET": self.supabase_jwt_secret,
            "SUPABASE_ANON_KEY": self.supabase_anon_key,
            "SUPABASE_JWT_ISSUER": self.supabase_jwt_issuer,
            "ALLOW_ANON": self.allow_anon,
        }

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not re.fullmatch(r"[!-~]+", self.runware_api_key.get_secret_value()):
            raise ValueError(
                "RUNWARE_API_KEY is no key: write the one from Runware's dashboard, without spaces"
            )
        if self.public_url and not self.webhook_secret:
            raise ValueError(
                "PUBLIC_URL is set, but WEBHOOK_SECRET is not, so that anyone could push results: "
                "set WEBHOOK_SECRET to the output of: openssl rand -hex 32"
            )
        model = video_model(self.runware_model)
        # Only one that was written: the default gives way to what the model makes.
        if "runware_resolution" in self.model_fields_set and self.runware_resolution not in model.resolutions:
            raise ValueError(
                f"RUNWARE_RESOLUTION is {self.runware_resolution}, which {model.name} does not make: "
                f"set it to one of {', '.join(model.resolutions)}"
                if model.resolutions
                else f"RUNWARE_RESOLUTION means nothing to {model.name}: take it out"
            )
        callers_are_known = self.service_token or self.supabase_url
        if (
            self.public_url
            and not callers_are_known
            and not is_loopback(urlsplit(self.public_url).hostname or "")
        ):
            raise ValueError(
                "PUBLIC_URL leads here from elsewhere, so that others can reach the service and spend its "
                "credit: set SERVICE_TOKEN to the output of: openssl rand -hex 32"
            )
        if not is_loopback(self.host) and not callers_are_known:
            raise ValueError(
                f"HOST is {self.host}, so that others can reach the service and spend its credit: "
                "set SERVICE_TOKEN to the output of: openssl rand -hex 32, or HOST to 127.0.0.1"
            )
        return self


def load_settings(options: Mapping[str, Any]) -> Settings:
    """Read the settings; `options` are those of the command line, by field name, None where not given.

    Raises SettingsRefused, with a line for each wrong one.
    """
    if misspelt := misspelt_lines(ENV_FILE, _variables()):
        raise SettingsRefused("\n".join(misspelt))
    with _told_in_sentences():
        return Settings(**{name: value for name, value in options.items() if value is not None})


def misspelt_environment(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Give the variables that look like misspelt settings, each with the setting that was meant."""
    return {name: close for name in environment if (close := misspelt(name, _variables(), environment))}


def _variables() -> Collection[str]:
    return [name.upper() for name in Settings.model_fields]


def load_database_settings() -> DatabaseSettings:
    """Read where the state is kept, whatever else is set or missing. Raises SettingsRefused, as above."""
    with _told_in_sentences():
        return DatabaseSettings()


@contextmanager
def _told_in_sentences() -> Iterator[None]:
    try:
        yield
    except ValidationError as refused:
        raise SettingsRefused(
            "\n".join(refused_setting(error, Settings.model_fields) for error in refused.errors())
        ) from None


class IsolatedSettings(Settings):
    """Settings from the program alone, whatever the environment says: for the demo and for tests."""

    # It would be opened although nothing is taken from it.
    model_config = SettingsConfigDict(env_file=None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        *_others: PydanticBaseSettingsSource,
        **_named_others: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave the program's values as the only source."""
        return (init_settings,)
