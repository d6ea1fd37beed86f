"""The settings of a training: what all methods share, their ranges, and what a wrong one is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fersyn.errors import FersynError

PROFILES = ("smoke", "laptop", "paper")


class MethodConfig(BaseModel):
    """Settings that all methods share; a method's own `Config` inherits them and adds its own with their ranges.

    Frozen. Unknown or out-of-range values raise FersynError with the name, the value and the range. The seed is no
    setting: one configuration is trained with several.

    Example:
        >>> MethodConfig(steps=10).batch
        16
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"smoke": {}, "laptop": {}, "paper": {}}

    size: int = Field(128, ge=16, le=1024, description="side of the faces, px")
    steps: int = Field(10_000, ge=1, description="training steps")
    batch: int = Field(16, ge=1, description="pairs a step, over all devices")
    lr: float = Field(2e-4, gt=0, le=1, description="learning rate")
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.5, 0.999)
    decay_share: float = Field(0.5, ge=0, le=1, description="last part of the steps, in which lr falls to 0 linearly")
    ema: float = Field(0.999, ge=0, lt=1, description="decay of the weights' running average; 0: none")
    averaged: tuple[str, ...] = Field(("generator",), description="networks that are averaged")
    neutral_share: float = Field(0.25, ge=0, le=1, description="part of the pairs that lead back to neutral")
    cross_share: float = Field(0.0, ge=0, le=1, description="part of the pairs between two expressive faces")
    augment: float = Field(0.0, ge=0, le=1, description="strength of the augmentation of the pairs")

    def __init__(self, **values: Any):
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise FersynError(_explain(type(self), error)) from None

    @classmethod
    def preset(cls, profile: str, **changes: Any) -> MethodConfig:
        """Return the settings of a profile (smoke, laptop or paper) with `changes`."""
        if profile not in cls.presets:
            raise FersynError(f"there is no profile '{profile}'; use one of: {', '.join(cls.presets)}")
        return cls(**{**cls.presets[profile], **changes})

    def replace(self, **changes: Any) -> MethodConfig:
        """Return a copy with `changes`, checked like new values."""
        return type(self)(**{**self.model_dump(), **changes})

    def with_settings(self, settings: Sequence[str]) -> MethodConfig:
        """Return a copy with the changes of a command line: `name=value`, the value as YAML (`betas=[0.5,0.9]`)."""
        changes = {}
        for setting in settings:
            name, sign, value = setting.partition("=")
            if not sign or not name.strip():
                raise FersynError(f"--set {setting}: write name=value, such as steps=100")
            changes[name.strip()] = _value(value, setting)
        return self.replace(**changes)

    def lr_factor(self, step: int, steps: int | None = None) -> float:
        """Part of `lr` at which step 0.. of `steps` (None: all) is taken: 1, then falling linearly over the last
        `decay_share` of them, to reach 0 after the last.
        """
        steps = self.steps if steps is None else steps
        tail = self.decay_share * steps
        return 1.0 if tail <= 0 else min(1.0, (steps - step) / tail)


def power_of_two(size: int) -> int:
    """What `field_validator("size")` asks where each layer halves the side; raises ValueError."""
    if size < 32 or size & (size - 1):
        raise ValueError("a power of two, at least 32")
    return size


def _value(text: str, setting: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise FersynError(f"--set {setting}: the value cannot be read; write it as YAML") from None
    if isinstance(value, str):
        try:
            return float(value)  # YAML takes 2e-4 (without a dot) for text
        except ValueError:
            pass
    return value


def _explain(config: type[MethodConfig], error: ValidationError) -> str:
    parts = []
    for item in error.errors(include_url=False):
        name = ".".join(str(part) for part in item["loc"]) or "the configuration"
        if item["type"] == "extra_forbidden":
            parts.append(f"{name} is no setting of it; settings are: {', '.join(sorted(config.model_fields))}")
            continue
        text = item["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        told = f"{name}: {text}" if item["type"] == "missing" else f"{name} is {item['input']!r}: it should be {text}"
        parts.append(told + _range(config, item["loc"]))
    return f"{config.__module__.rpartition('.')[2].replace('_', '-')}: " + "; ".join(parts)


def _range(config: type[MethodConfig], location: tuple) -> str:
    field = config.model_fields.get(location[0]) if location else None
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    limits = [
        f"{sign} {getattr(limit, name)}"
        for limit in (field.metadata if field else ())
        for name, sign in signs.items()
        if getattr(limit, name, None) is not None
    ]
    about = f", {field.description}" if field and field.description else ""
    return f" (range: {' and '.join(limits)}{about})" if limits else ""
