"""The configuration: a folder of YAML files, validated as a whole and returned as frozen values.

try:
    settings = load(Path("config"), environ=os.environ)
except ConfigError as error:
    for problem in error.problems:
        print(problem)  # queues.yaml:12:5: unknown key 'ring_fro' (did you mean 'ring_for'?)
"""

from callrouter.mobiles.mobile_records import NumberSettings
from callrouter.settings.diff.settings_diff import changes
from callrouter.settings.errors.problems import ConfigError, Problem
from callrouter.settings.loaded import (
    ApiToken,
    AsteriskSettings,
    HttpSettings,
    PbxSettings,
    Role,
    ServiceLevel,
    Settings,
    SimulatedSettings,
    TokenRole,
    TwilioSettings,
    UserSettings,
)
from callrouter.settings.loader import json_schema, load, load_snapshot, write_schema

__all__ = [
    "ApiToken",
    "AsteriskSettings",
    "ConfigError",
    "HttpSettings",
    "NumberSettings",
    "PbxSettings",
    "Problem",
    "Role",
    "ServiceLevel",
    "Settings",
    "SimulatedSettings",
    "TokenRole",
    "TwilioSettings",
    "UserSettings",
    "changes",
    "json_schema",
    "load",
    "load_snapshot",
    "write_schema",
]
