"""Settings from presets, TOML files and `--set`; whatever is wrong in them is said in a sentence."""

import tomllib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gan.errors import SettingsError
from gan.settings.run_settings import RunSettings, is_as_written
from gan.systems import preset_folder, preset_names, system_class
from maskkit.files.regular import read_regular_text

LARGEST_FILE = 1 << 20  # bytes
DEFAULT_SYSTEM, DEFAULT_PRESET = "scgan", "paper"


def load_preset(
    name: str = DEFAULT_PRESET, overrides: Iterable[str] = (), *, system: str = DEFAULT_SYSTEM
) -> RunSettings:
    """Load a preset that comes with the package; `overrides` are "section.key=value". Raises SettingsError."""
    return settings_from(_preset_values(system, name), overrides, source=f"preset {name}")


def load_settings(
    path: Path, preset: str = DEFAULT_PRESET, overrides: Iterable[str] = (), *, system: str | None = None
) -> RunSettings:
    """Load a TOML file; what it leaves out comes from `preset` of its system. Raises SettingsError naming file and key.

    The system is `system`, or the one that the file names, or SCGAN.
    """
    try:
        text = read_regular_text(path, LARGEST_FILE)
        given = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"the settings {path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # TOMLDecodeError, UnicodeDecodeError, and an integer of thousands of digits
        raise SettingsError(f"the settings {path} are not TOML: {error}") from error
    except RecursionError as error:
        raise SettingsError(f"the settings {path} are nested too deeply") from error
    if not is_as_written(text):
        raise SettingsError(
            f"the settings {path} are not what was written, by the SHA-256 in the first line; after a change by hand "
            "remove that line, and where nobody has made one, take them from a copy"
        )
    named = given.get("system", DEFAULT_SYSTEM)
    if system is not None and "system" in given and named != system:
        raise SettingsError(f"{path}: its settings are for the system {named!r}, and {system!r} is asked for")
    if not isinstance(named, str):
        raise SettingsError(f"{path}: system must be a name, such as {DEFAULT_SYSTEM}")
    values = _preset_values(system or named, preset)
    _end_by_epochs(values, [f"{section}.{key}" for section, chosen in given.items() if isinstance(chosen, dict)
                            for key in chosen])  # fmt: skip
    for key, value in given.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            values[key].update(value)
        else:
            values[key] = value
    return settings_from(values, overrides, source=str(path))


def settings_from(values: dict[str, Any], overrides: Iterable[str] = (), *, source: str) -> RunSettings:
    """Check nested values; raises SettingsError, a sentence with `source`, the key, its value and what is allowed."""
    name = values.get("system", DEFAULT_SYSTEM)
    if not isinstance(name, str):
        raise SettingsError(f"{source}: system must be a name, such as {DEFAULT_SYSTEM}")
    try:
        settings = system_class(name).Settings
    except SettingsError as error:
        raise SettingsError(f"{source}: {error}") from error
    overrides = list(overrides)
    _end_by_epochs(values, [override.partition("=")[0] for override in overrides])
    try:
        for number, override in enumerate(overrides):
            source = source if number else f"{source} with --set"
            _apply(values, override, [key for key, _ in settings.fields_by_key()])
        return settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(f"{source}: {_sentence(error, settings)}") from error
    except RecursionError as error:
        raise SettingsError(f"{source}: a value is nested too deeply") from error


def _preset_values(system: str, name: str) -> dict[str, Any]:
    system_class(system)  # refuses a name that is none
    if name not in (known := preset_names(system)):
        raise SettingsError(f"the system {system} has no preset {name!r}; there are {', '.join(known)}")
    return tomllib.loads(preset_folder(system).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def _end_by_epochs(values: dict[str, Any], named: Collection[str]) -> None:
    """Drop the end in steps that a preset has, where epochs are named and steps are not: epochs are what is meant."""
    by_epochs = "schedule.epochs" in named or "schedule.decay_epochs" in named
    if by_epochs and "schedule.steps" not in named and isinstance(values.get("schedule"), dict):
        values["schedule"].pop("steps", None)


def _apply(values: dict[str, Any], override: str, known: list[str]) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise SettingsError(f"--set {override}: write it as key=value, such as loss.lambda_seg=10")
    if key == "data.shards":
        raise SettingsError(f"--set {override}: the shards are no setting to choose but the command's argument")
    if key == "system":
        raise SettingsError(f"--set {override}: a system has settings of its own; choose it by --system")
    if key not in known:
        raise SettingsError(f"--set {override}: {_unknown(key, known)}")
    *sections, last = key.split(".")
    target = values
    for section in sections:
        target = target.setdefault(section, {})
    try:
        target[last] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        target[last] = text  # a bare word, such as loss.gp_reduction=mean
    except ValueError as error:  # an integer of thousands of digits
        raise SettingsError(f"--set {key}: the value cannot be read ({error})") from error


def _sentence(error: ValidationError, settings: type[RunSettings]) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        return _unknown(key, [name for name, _ in settings.fields_by_key()])
    if first["type"] == "missing":
        return f"{key} is missing"
    if isinstance(first["input"], dict):
        return f"{key}: {reason}" if key else reason
    return f"{key} = {_shown(first['input'])}: {reason[0].lower()}{reason[1:]}"


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, a list in a list in a list
        return f"({type(value).__name__})"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _unknown(key: str, known: list[str]) -> str:
    section = f"{key.rpartition('.')[0]}."
    allowed = [name for name in known if name.startswith(section)] or known
    allowed = [name for name in allowed if name not in ("data.shards", "system")]
    return f"there is no setting {key}; there are {', '.join(allowed)}"
