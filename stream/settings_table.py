"""The settings as people read them: what holds now, and what could be set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from stream.settings import PREFIX, Settings

_SIGNS = {"gt": "> {}", "ge": "≥ {}", "lt": "< {}", "le": "≤ {}"}


def as_toml(settings: Settings) -> Iterator[str]:
    """Yield one line a setting, as a settings file would say it; secrets are masked.

    What has no value is a comment, because TOML has none.
    """
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        yield f"# {name} is not set" if value is None else f"{name} = {_toml(value)}"


def described() -> Iterator[str]:
    """Yield a Markdown table of every setting: variable, default, limits, meaning."""
    yield "| Setting | Default | Limits | What it is |"
    yield "|---|---|---|---|"
    for name, field in Settings.model_fields.items():
        default = "not set" if field.default is None else f"`{_toml(field.default)}`"
        yield f"| `{PREFIX}{name.upper()}` | {default} | {_limits(field)} | {field.description} |"


def _limits(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(field.annotation))
    signs = [
        sign.format(getattr(limit, name))
        for limit in field.metadata
        for name, sign in _SIGNS.items()
        if hasattr(limit, name)
    ]
    return ", ".join(signs) or "any"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    text = "**********" if isinstance(value, SecretStr) else str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
