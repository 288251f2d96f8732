

# ---- Compiles code that somebody wants to save, and never runs it. -----------------------------------------------


def check(source):
    """What the interpreter says of a source, as JSON."""
    import json

    fault = None
    try:
        compile(source, FILE, "exec", dont_inherit=True)
    except SyntaxError as error:
        fault = {"message": "%s: %s" % (type(error).__name__, error.msg), "line": error.lineno, "column": error.offset}
    except (MemoryError, RecursionError):
        fault = {"message": "The code is nested too deeply, or an expression in it is too long. Split it up"}
    except Exception as error:
        fault = {"message": "%s: %s" % (type(error).__name__, error)}
    if fault is not None:
        for place in ("line", "column"):
            if not isinstance(fault.get(place), int) or fault[place] < 1:
                fault[place] = None
    return json.dumps({"module": "python", "fault": fault})
