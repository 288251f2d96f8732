

# ---- What a handler may return: what JSON carries. ----------------------------------------------------------------

_encode = None


def _encoder_of_json():
    import json

    return json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _use_json():
    """Encodes from now on by the module of that name. Returns what decodes."""
    import json

    global _encode
    _encode = _encoder_of_json()
    return json.loads


def _use_core_of_json():
    """The same by what that module calls, in a fifth of the time, and without loading `re` and more, which takes 5 ms."""
    global _encode

    class Usual:
        strict, object_hook, object_pairs_hook = True, None, None
        parse_float, parse_int, parse_constant = float, int, None

    def refuse(value):
        raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)

    try:
        from _json import encode_basestring, make_encoder, make_scanner

        scan = make_scanner(Usual)
        # It keeps no book of what it is inside of: a result that contains itself is nested too deeply.
        pieces = make_encoder(None, refuse, encode_basestring, None, ":", ",", False, False, False)
        assert (scan("[1.5]", 0), "".join(pieces([None], 0))) == (([1.5], 5), "[null]")
    except Exception:
        return _use_json()
    _encode = lambda result: "".join(pieces(result, 0))
    return lambda data: scan(data.decode().strip(), 0)[0]


def encode(result):
    """The result as JSON, in UTF-8."""
    try:
        data = _encode(result).encode()
    except MemoryError:
        raise
    except Exception:
        data = _encode_or_say(result)
    if len(data) > OUTPUT_LIMIT:
        raise RunError(
            "The handler's result is too large: %s bytes of JSON, and the limit is %s. Return less, or return it in parts."
            % (format(len(data), ","), format(OUTPUT_LIMIT, ","))
        )
    return data


def _encode_or_say(result):
    """The same by the module `json`, as users may have changed it; or why it can't be."""
    try:
        return _encoder_of_json()(result).encode()
    except MemoryError:
        raise
    except RecursionError:
        raise RunError("The handler's result can't be JSON: it is nested too deeply. Return something flatter.") from None
    except UnicodeEncodeError as error:
        raise RunError(
            "The handler's result can't be JSON: a string in it holds half of a surrogate pair (%s). "
            "Decode or clean the text before you return it." % error.reason
        ) from None
    except Exception as error:
        raise RunError(_why_not_json(result, error)) from None


def _why_not_json(result, error):
    path, value = _find_culprit(result)
    at = " (at %s)" % path if path else ""
    if isinstance(value, float):
        return "The handler's result can't be JSON: it holds %s%s, which JSON cannot express. Return None or a string instead." % (
            repr(value), at)
    if isinstance(error, ValueError) and "Circular" in str(error):
        return "The handler's result can't be JSON: it holds itself, a circular reference%s. Return a copy without the cycle." % at
    if value is not None:
        if path.endswith("<key>"):
            return "The handler's result can't be JSON: it holds a key that is %s%s. Return a str as the key instead." % (_article(value), at)
        return "The handler's result can't be JSON: it holds a value that is %s%s. Return %s instead." % (
            _article(value), at, _instead_of(value))
    return "The handler's result can't be JSON: %s" % error


_INSTEAD = {
    "set": "a list", "frozenset": "a list", "deque": "list(value)", "array": "value.tolist()",
    "datetime": "value.isoformat()", "date": "value.isoformat()", "time": "value.isoformat()",
    "timedelta": "value.total_seconds()", "Decimal": "str(value) or float(value)", "Fraction": "str(value) or float(value)",
    "complex": "[value.real, value.imag]", "bytes": "value.decode() or base64.b64encode(value).decode()",
    "bytearray": "value.decode() or base64.b64encode(value).decode()", "memoryview": "base64.b64encode(value).decode()",
    "UUID": "str(value)", "coroutine": "the awaited value", "Future": "the awaited value", "Task": "the awaited value",
    "async_generator": "[item async for item in value]", "SimpleNamespace": "vars(value)",
    "function": "what it returns", "method": "what it returns", "builtin_function_or_method": "what it returns",
    "Response": "{'statusCode': ..., 'headers': {...}, 'body': ...}",
}


def _instead_of(value):
    """What to return instead of a value that JSON can't carry."""
    kind = type(value)
    if kind.__name__ in _INSTEAD:
        return _INSTEAD[kind.__name__]
    if isinstance(value, type):
        return "an instance's fields"
    if isinstance(value, BaseException):
        return "str(value), or raise it,"
    if hasattr(kind, "__dataclass_fields__"):
        return "dataclasses.asdict(value)"
    if hasattr(kind, "__members__"):
        return "value.value"
    if hasattr(kind, "__fspath__"):
        return "str(value)"
    for method in ("model_dump", "to_dict", "_asdict", "tolist"):
        if hasattr(kind, method):
            return "value.%s()" % method
    if isinstance(value, Mapping):
        return "dict(value)"
    if hasattr(kind, "__iter__"):
        return "list(value)"
    return "a dict, list, str, number, bool or None"


def _article(value):
    name = type(value).__name__
    return ("an " if name[:1] in "aeioAEIO" else "a ") + name


def _find_culprit(result):
    """Where the first value lies that JSON can't carry, and that value. ('', None) if that can't be told."""
    stack, inside, seen = [("result", result, False)], set(), 0
    while stack and seen < 1_000_000:
        seen += 1
        path, value, leave = stack.pop()
        if leave:
            inside.discard(id(value))
            continue
        if value is None or isinstance(value, (str, int)):
            continue
        if isinstance(value, float):
            if value != value or value in (float("inf"), float("-inf")):
                return path, value
            continue
        if not isinstance(value, (dict, list, tuple)):
            return path, value
        if id(value) in inside:
            return path, None
        inside.add(id(value))
        below = [(path, value, True)]
        if isinstance(value, dict):
            for key, item in value.items():
                if not (key is None or isinstance(key, (str, int, float))):
                    return path + ".<key>", key
                step = ".%s" % key if isinstance(key, str) and key.isidentifier() else "[%r]" % (key,)
                below.append((path + step, item, False))
        else:
            below.extend(("%s[%d]" % (path, i), item, False) for i, item in enumerate(value))
        below[1:] = below[:0:-1]
        stack.extend(below)
    return "", None
