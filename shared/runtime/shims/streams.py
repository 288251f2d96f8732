

# ---- What is printed and logged: lines that carry a level. --------------------------------------------------------

import io


def _level_of(number):
    return "e" if number >= 40 else "w" if number >= 30 else "i" if number >= 20 else "d"


def marked(level, data):
    """The bytes with every line of them marked."""
    if level == "i":
        return data
    mark = (MARK + level).encode()
    end = b"\n" if data.endswith(b"\n") else b""
    return mark + data[: len(data) - len(end)].replace(b"\n", b"\n" + mark) + end


def _set_up_logging():
    """`logging` to our streams keeps its levels, whichever way the user configures it; INFO and up by default."""
    import logging

    global _set_up_logging
    _set_up_logging = lambda: None
    emit = logging.StreamHandler.emit

    def emit_with_level(self, record):
        write = getattr(self.stream, "write_level", None) or (_write_level if self.stream is sys.stdout else None)
        if write is None:
            return emit(self, record)
        try:
            write(_level_of(record.levelno), self.format(record) + self.terminator)
        except RecursionError:
            raise
        except Exception:
            self.handleError(record)

    logging.StreamHandler.emit = emit_with_level
    logging.root.setLevel(logging.INFO)
    if logging.lastResort is not None:
        logging.lastResort.setLevel(logging.NOTSET)


def _write_level(level, text):
    _err.write_level(level, text)


class _Raw(io.RawIOBase):
    """What lies under a stream: gives bytes of its level to `sink`."""

    mode = "wb"

    def __init__(self, level, number, sink):
        self._level, self._number, self._sink, self._amid = level, number, sink, False

    name = property(lambda self: "<stdout>" if self._number == 1 else "<stderr>")

    def write(self, data):
        data = bytes(data)
        if data:
            # The rest of a line goes to the line's beginning.
            rest, self._amid = self._amid, not data.endswith(b"\n")
            line = data.find(b"\n") + 1 or len(data) if rest else 0
            self._sink(data[:line] + (marked(self._level, data[line:]) if line < len(data) else b""))
        return len(data)

    def write_level(self, level, text):
        self._amid = False
        self._sink(marked(level, text.encode("utf-8", "backslashreplace")))

    def fileno(self):
        return self._number

    def writable(self):
        return True


class Stream(io.TextIOWrapper):
    """A text stream like any other whose lines carry a level. `sink` takes marked bytes."""

    def __init__(self, level, number, sink):
        self._raw = _Raw(level, number, sink)
        super().__init__(io.BufferedWriter(self._raw), "utf-8", "backslashreplace", "\n", True)
        self.mode = "w"

    def write_level(self, level, text):
        self.flush()
        self._raw.write_level(level, text)

    def close(self):
        """It outlives all who would close it."""
        self.flush()


def show_warning(message, category, filename, lineno, file=None, line=None):
    """`warnings`, as a line of its level."""
    text = "%s:%s: %s: %s\n" % (filename, lineno, category.__name__, message)
    if file is None:
        sys.stderr.write_level("w", text) if hasattr(sys.stderr, "write_level") else sys.stderr.write(text)
    else:
        file.write(text)
