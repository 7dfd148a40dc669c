"""Profiles: which names there may be, what their files say, and what the environment has no say in."""

from __future__ import annotations

from pathlib import Path

import pytest

from b24tools.core import config, database_url, errors, profiles
from tests.support.rights import forbid

WEBHOOK = "https://one.example/rest/1/abcdefgh12/"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the profiles, named by the settings file; the environment has all that a portal needs."""
    folder = tmp_path / "profiles"
    folder.mkdir()
    (tmp_path / ".env").write_text("B24_PROFILES=profiles\nB24_TZ=Asia/Omsk\n", "utf-8")
    for name, value in {
        "BITRIX_WEBHOOK": "https://other.example/rest/1/abcdefgh12/",
        "BITRIX_OUTGOING_TOKEN": "token-of-another",
        "B24_GROUP": "Чужой проект",
        "B24_ROUTE": "Сварщик",
    }.items():
        monkeypatch.setenv(name, value)
    return folder


def test_the_file_wins_and_the_portal_is_its_own(folder: Path, tmp_path: Path) -> None:
    """Of the environment counts what no portal owns and the file does not say; of .env nothing."""
    (folder / "plant-2.env").write_text(
        f"BITRIX_WEBHOOK_URL={WEBHOOK}\nB24_GROUP=Заказы\nTZ_NAME=Asia/Tomsk\n", "utf-8"
    )

    profile = profiles.find_profile("plant-2", None)
    inspection = config.inspect(env_file=profile.file, profile=profile.name)

    settings = inspection.check()
    assert profiles.Profile("plant-2", folder / "plant-2.env") == profile
    assert WEBHOOK == config.webhook_url(settings)
    assert settings.outgoing_token is None
    assert (tmp_path / "home" / "b24tools-plant-2", "plant-2") == (settings.data_dir, settings.profile)
    assert ("Заказы", ("Сварщик",), "Asia/Tomsk") == (settings.group, settings.route, settings.zone.key)


def test_a_data_folder_in_the_file_is_meant_from_there(folder: Path) -> None:
    """And not that of the environment, which has another portal's."""
    file = folder / "one.env"
    file.write_text("B24_DATA_DIR=data/one\n", "utf-8")

    assert folder / "data" / "one" == config.inspect(env_file=file, profile="one").settings.data_dir


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../one", "a/b", "a\\b", "Plant", "цех", "a.env", "-a", "a-", "a_b", "con", "com1", "a" * 31],
)
def test_a_name_is_no_path(name: str, folder: Path) -> None:
    """Nor two spellings of one file, nor a device of Windows."""
    with pytest.raises(errors.ConfigError, match="cannot be the name of a profile"):
        profiles.find_profile(name, None)


def test_what_is_not_there_is_named_with_what_is(folder: Path) -> None:
    """The file, and the other profiles; what only looks like one is listed apart."""
    for name in ("alpha", "beta", "console", "Gamma"):
        (folder / f"{name}.env").touch()
    (folder / ".env").touch()
    (folder / "readme.txt").touch()

    with pytest.raises(errors.ConfigError) as raised:
        profiles.find_profile("delta", None)
    listed, others = profiles.list_profiles(folder)

    assert (
        f"there is no profile {folder / 'delta.env'}. There are: alpha, beta, console. "
        "`b24tools --profile delta init` writes it."
    ) == raised.value.line
    assert (["alpha", "beta", "console"], ["Gamma.env"]) == ([profile.name for profile in listed], others)


def test_without_a_folder_there_are_none(tmp_path: Path) -> None:
    """It is said how to name one, and which one cannot be read."""
    with pytest.raises(errors.ConfigError, match="B24_PROFILES is not set"):
        profiles.choose_profiles(None, None)
    (tmp_path / ".env").write_text("B24_PROFILES=nowhere\n", "utf-8")
    with pytest.raises(errors.ConfigError, match=r"nowhere, cannot be read: No such file or directory"):
        profiles.choose_profiles(None, None)
    (tmp_path / "nowhere").mkdir()
    with pytest.raises(errors.ConfigError, match="there is no profile in"):
        profiles.choose_profiles(None, None)


def test_each_profile_has_a_schema_of_its_own() -> None:
    """None of two names that differ; the names are as PostgreSQL writes them without quotes."""
    names = ["", "plant-2", "plant2", "plant-2-a", "a" * 30]

    assert [
        "b24tools",
        "b24tools_plant_2",
        "b24tools_plant2",
        "b24tools_plant_2_a",
        "b24tools_" + "a" * 30,
    ] == [database_url.name_schema(name) for name in names]


def test_a_profile_has_its_schema_of_the_database(folder: Path) -> None:
    """The URL may be the same in all files; one that names a schema has that."""
    file = folder / "plant-2.env"
    addresses = []
    for url in ("postgresql://b24@db/b24", "postgresql://b24@db/b24?schema=other"):
        file.write_text(f"B24_DATABASE_URL={url}\n", "utf-8")
        addresses.append(str(config.inspect(env_file=file, profile="plant-2").check().database))

    assert ["postgresql://b24@db/b24 (b24tools_plant_2)", "postgresql://b24@db/b24 (other)"] == addresses


def test_a_folder_that_this_user_may_not_enter_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a setting that is wrong, not a profile that is missing."""
    forbid(monkeypatch, folder)
    with pytest.raises(errors.ConfigError, match=f"the folder of the profiles, {folder}, cannot be read: Permission"):
        profiles.find_profile("plant-2", None)
