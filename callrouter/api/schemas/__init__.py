"""The types of the API: its answers (`…Json`) and the bodies of its requests (`…Body`).

The OpenAPI document is made from these classes (`callrouter.api.openapi`): a class becomes a schema
named without its ending, and the docstrings of its fields become their descriptions. Views are
built as these types, and the command line reads them as these types.

Durations are numbers of seconds and end in ``_s``; times are ISO 8601 in UTC with milliseconds;
what does not apply is null.
"""
