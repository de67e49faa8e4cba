"""doc/postern-control.schema.json, against which the tests hold every reply and event."""

import copy
import functools
import json
import pathlib

import jsonschema

PATH = pathlib.Path(__file__).resolve().parents[3] / "doc/postern-control.schema.json"


def strict(schema):
    """The same, but what it does not name is an error: clients pass that over, the tests do not."""
    if isinstance(schema, dict):
        schema = {key: strict(value) for key, value in schema.items()}
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
    elif isinstance(schema, list):
        schema = [strict(value) for value in schema]
    return schema


@functools.cache
def validator(definition=None):
    """For whole messages, or for one of the $defs."""
    schema = copy.deepcopy(json.loads(PATH.read_text()))
    definitions = {name: strict(value) for name, value in schema["$defs"].items()}
    schema = definitions[definition] if definition else {k: v for k, v in schema.items() if k != "$defs"}
    kind = jsonschema.Draft202012Validator
    return kind(schema | {"$defs": definitions}, format_checker=jsonschema.FormatChecker())


def check_message(message, command=None):
    """Fails unless `message` is one that the daemon may send, after `command` was the request."""
    validator().validate(message)
    if "event" in message:
        validator(f"event {message['event']} data").validate(message["data"])
    elif "return" in message and command:
        validator(f"command {command} returns").validate(message["return"])
