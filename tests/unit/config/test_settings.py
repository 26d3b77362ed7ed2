import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.settings import Settings, SettingsError, load_settings, variable

REQUIRED = {
    "PAYORCH_REDIS_URL": "redis://:CANARY@127.0.0.1:6379/0",
    "PAYORCH_PROVIDER_APP_ID": "app-1",
    "PAYORCH_PROVIDER_SECRET_KEY": "CANARY-secret-key",
    "PAYORCH_WEBHOOK_BASE_URL": "https://pay.example.com/hooks/",
    "PAYORCH_WEBHOOK_SECRETS": "CANARY-first-secret, CANARY-second-secret",
}


@pytest.fixture
def load(monkeypatch):
    def load(**environment):
        for name, value in {**REQUIRED, **environment}.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        return load_settings(env_file=None)

    return load


@pytest.fixture
def refusal(load):
    def refusal(**environment):
        with pytest.raises(SettingsError) as caught:
            load(**environment)
        assert "CANARY" not in str(caught.value)
        assert caught.value.__context__ is None
        return caught.value.problems

    return refusal


def test_defaults_are_those_of_the_interface(load):
    settings = load()
    assert settings.provider_base_url == "https://api.cleverhub.co"
    assert (settings.namespace, settings.shards, settings.lease_s, settings.concurrency) == ("", 64, 10, 500)
    assert settings.roles == ("intake", "reconcile", "relay")
    assert (settings.events_retry_s, settings.worker_port) == (600, 0)
    assert (settings.log_format, settings.log_level) == ("auto", "info")
    assert settings.events_days == 7
    assert settings.events_queue_max == 100_000
    assert settings.poll_schedule_s == (60, 300, 900, 1800, 3600)
    assert settings.call_timeout_total_s == 40
    assert settings.confirm_success_by_read is True


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_missing_variable_is_named(refusal, name):
    [problem] = refusal(**{name: None})
    assert problem.startswith(f"{name} is not set.")


def test_all_missing_variables_are_named_at_once(refusal):
    problems = refusal(**dict.fromkeys(REQUIRED))
    assert sorted(problem.split()[0] for problem in problems) == sorted(REQUIRED)


def test_several_faults_are_told_in_one_go_and_in_order(refusal):
    problems = refusal(PAYORCH_SHARDS="0", PAYORCH_WEBHOOK_SECRETS=",", PAYORCH_REDIS_URL=None)
    assert [problem.split()[0].strip(":") for problem in problems] == [
        "PAYORCH_REDIS_URL",
        "PAYORCH_WEBHOOK_SECRETS",
        "PAYORCH_SHARDS",
    ]


def test_empty_variable_counts_as_missing(refusal):
    [problem] = refusal(PAYORCH_PROVIDER_APP_ID="")
    assert problem.startswith("PAYORCH_PROVIDER_APP_ID is not set.")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PAYORCH_SHARDS", "0", "greater than or equal to 1"),
        ("PAYORCH_SHARDS", "1025", "less than or equal to 1024"),
        ("PAYORCH_SHARDS", "many", "valid integer"),
        ("PAYORCH_ROLES", "intake,CANARY", "'intake', 'reconcile' or 'relay'"),
        ("PAYORCH_ROLES", "none", "at least 1 item"),
        ("PAYORCH_ROLES", "intake,intake", "twice"),
        ("PAYORCH_NAMESPACE", "a b", "A-Z a-z 0-9 . _ -"),
        ("PAYORCH_NAMESPACE", "x" * 33, "at most 32"),
        (
            "PAYORCH_REDIS_URL",
            "http://CANARY/",
            "redis:// or rediss:// or redis+sentinel:// or redis+cluster://",
        ),
        ("PAYORCH_REDIS_URL", "CANARY", "scheme://host"),
        ("PAYORCH_REDIS_URL", "redis://CANARY:port/0", "scheme://host"),
        ("PAYORCH_REDIS_URL", "redis+sentinel://CANARY:26379", "must name the service"),
        ("PAYORCH_REDIS_URL", "redis+sentinel://CANARY:26379,CANARY:port/main", "scheme://host"),
        ("PAYORCH_REDIS_URL", "redis+cluster://CANARY:6379/1", "must name no database"),
        ("PAYORCH_REDIS_URL", "redis+cluster://CANARY:6379,CANARY:port", "scheme://host"),
        ("PAYORCH_BROKER_URL", "kafka://CANARY", "amqp:// or amqps://"),
        ("PAYORCH_EVENTS_URL", "https://CANARY", "amqp:// or amqps://"),
        ("PAYORCH_PROVIDER_BASE_URL", "http://api.example", "must start with https://"),
        ("PAYORCH_PROVIDER_BASE_URL", "https://user:CANARY@api.example", "without user"),
        ("PAYORCH_PROVIDER_BASE_URL", "https://api.example?x=CANARY", "without user, query"),
        ("PAYORCH_WEBHOOK_BASE_URL", "http://pay.example", "must start with https://"),
        ("PAYORCH_WEBHOOK_BASE_URL", "ftp://pay.example", "https:// or http://"),
        ("PAYORCH_WEBHOOK_SECRETS", " , ", "at least 1 item"),
        ("PAYORCH_LEASE_S", "nan", "finite"),
        ("PAYORCH_LEASE_S", "-1", "greater than or equal"),
        ("PAYORCH_LOG_LEVEL", "CANARY", "'debug', 'info', 'warning' or 'error'"),
        ("PAYORCH_POLLING", "maybe", "'on' or 'off'"),
        ("PAYORCH_POLL_SCHEDULE_S", "60,CANARY", "valid integer"),
        ("PAYORCH_WHOLE_UNIT_CURRENCIES", "yen", "pattern"),
        ("PAYORCH_MERCHANTS_FILE", "CANARY.toml", "cannot be read"),
        ("PAYORCH_WORKER_PORT", "70000", "65535"),
        ("PAYORCH_CALL_TIMEOUT_TOTAL_S", "10", "must not be less than"),
    ],
)
def test_bad_value_is_refused_by_the_name_of_its_variable(refusal, name, value, said):
    [problem] = refusal(**{name: value})
    assert problem.startswith(f"{name}: ")
    assert said in problem


def test_broker_and_events_follow_redis(load):
    settings = load()
    assert settings.broker_url == settings.events_url == REQUIRED["PAYORCH_REDIS_URL"]


def test_events_follow_the_broker(load):
    settings = load(PAYORCH_BROKER_URL="amqps://u:p@rabbit:5671//")
    assert settings.broker_url == settings.events_url == "amqps://u:p@rabbit:5671//"


@pytest.mark.parametrize("scheme", ["redis+sentinel", "redis+cluster"])
def test_broker_must_be_named_where_redis_cannot_be_one(load, refusal, scheme):
    url = f"{scheme}://127.0.0.1:26379/0"
    assert refusal(PAYORCH_REDIS_URL=url) == (
        "PAYORCH_BROKER_URL: must be set, since PAYORCH_REDIS_URL is neither redis:// nor rediss://",
    )
    assert load(PAYORCH_REDIS_URL=url, PAYORCH_BROKER_URL="amqp://rabbit//").events_url == "amqp://rabbit//"


def test_several_nodes_of_a_cluster_are_one_address(load):
    url = "redis+cluster://bob:CANARY@one:6379,two:6380,three"
    assert load(PAYORCH_REDIS_URL=url, PAYORCH_BROKER_URL="amqp://rabbit//").redis_url == url


def test_several_sentinels_are_one_address(load):
    url = "redis+sentinel://:CANARY@one:26379,two:26379,three/main/0"
    assert load(PAYORCH_REDIS_URL=url, PAYORCH_BROKER_URL="amqp://rabbit//").redis_url == url


@pytest.mark.parametrize("written", ["https://api.example", "https://api.example/", "https://api.example/api/"])
def test_provider_address_is_the_same_with_and_without_api(load, written):
    assert load(PAYORCH_PROVIDER_BASE_URL=written).provider_base_url == "https://api.example"


def test_webhook_address_keeps_its_path_without_the_slash(load):
    assert load().webhook_base_url == "https://pay.example.com/hooks"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "web.localhost"])
def test_plain_http_is_for_this_machine(load, host):
    url = f"http://{host}:8080"
    settings = load(PAYORCH_WEBHOOK_BASE_URL=url, PAYORCH_PROVIDER_BASE_URL=url)
    assert settings.webhook_base_url == settings.provider_base_url == url


def test_plain_http_to_a_named_host_of_a_private_network(load):
    assert load(PAYORCH_PROVIDER_BASE_URL="http://sandbox:8900", PAYORCH_PLAIN_HTTP_HOSTS="sandbox,web")


def test_lists_are_comma_separated(load):
    settings = load(PAYORCH_ROLES="relay, intake", PAYORCH_PLAIN_HTTP_HOSTS="web, sandbox")
    assert settings.roles == ("relay", "intake")
    assert settings.plain_http_hosts == ("web", "sandbox")
    assert load(PAYORCH_PLAIN_HTTP_HOSTS="none").plain_http_hosts == ()


def test_first_secret_stays_first(load):
    secrets = load().webhook_secrets
    assert [each.get_secret_value() for each in secrets] == ["CANARY-first-secret", "CANARY-second-secret"]


def test_no_secret_is_shown_by_the_settings_themselves(load):
    settings = load(PAYORCH_BROKER_URL="amqp://u:CANARY@rabbit//", PAYORCH_READ_TOKENS="CANARY-read-token-1")
    assert "CANARY" not in repr(settings)
    assert "CANARY" not in str(settings)


def test_settings_cannot_be_changed(load):
    with pytest.raises(ValidationError, match="frozen"):
        load().shards = 7


def test_secret_comes_from_a_file(load, tmp_path):
    path = tmp_path / "key"
    path.write_text("from-a-file\n")
    settings = load(PAYORCH_PROVIDER_SECRET_KEY=None, PAYORCH_PROVIDER_SECRET_KEY_FILE=str(path))
    assert settings.provider_secret_key.get_secret_value() == "from-a-file"


def test_environment_goes_before_the_file(load, tmp_path):
    path = tmp_path / "id"
    path.write_text("from-a-file")
    assert load(PAYORCH_PROVIDER_APP_ID_FILE=str(path)).provider_app_id == "app-1"


def test_unreadable_file_is_named(refusal, tmp_path):
    path = tmp_path / "CANARY"
    [problem] = refusal(PAYORCH_PROVIDER_APP_ID=None, PAYORCH_PROVIDER_APP_ID_FILE=str(path))
    assert problem == "PAYORCH_PROVIDER_APP_ID_FILE: the file it names cannot be read (FileNotFoundError)"


def test_dotenv_is_read_and_may_hold_the_variables_of_others(load, tmp_path):
    load()
    path = tmp_path / ".env"
    path.write_text("PAYORCH_SHARDS=8\nOTHER=1\nPAYORCH_PROVIDER_APP_ID=from-dotenv\n")
    settings = load_settings(env_file=path)
    assert (settings.shards, settings.provider_app_id) == (8, "app-1")


def test_keyword_goes_before_everything(load):
    load(PAYORCH_SHARDS="8")
    assert load_settings(env_file=None, shards=4).shards == 4


def test_settings_error_is_none_of_those_that_celery_forgives():
    assert not issubclass(SettingsError, (KeyError, AttributeError, LookupError))


def test_each_setting_has_a_description():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_nothing_else_reads_the_environment():
    root = Path(__file__).parents[3]
    readers = {
        str(path.relative_to(root))
        for package in ("orchestrator", "workers", "config")
        for path in (root / package).rglob("*.py")
        if "os.environ" in path.read_text() or "getenv" in path.read_text()
    }
    # The demo and the tests of a process hand an environment on to the processes they start.
    assert {name for name in readers if not name.startswith("workers/cli/")} <= {"config/files.py"}


def test_variable_names_have_the_prefix():
    assert variable("redis_url") == "PAYORCH_REDIS_URL"
    assert not [name for name in os.environ if name.startswith("PAYORCH_") and "TEST" not in name]
