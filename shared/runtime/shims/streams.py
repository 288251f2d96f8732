

# ---- What is printed and logged: lines that carry a level. --------------------------------------------------------


def _level_of(number):
    return "e" if number >= 40 else "w" if number >= 30 else "i" if number >= 20 else "d"


def marked(level, text):
    """The text with every line of it marked."""
    if level == "i":
        return text
    mark = MARK + level
    end = "\n" if text.endswith("\n") else ""
    return mark + text[: len(text) - len(end)].replace("\n", "\n" + mark) + end


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
    sys.stderr.write_level(level, text)


class Stream:
    """A text stream whose lines carry a level. `sink` takes marked text."""

    encoding = "utf-8"
    errors = "backslashreplace"
    newlines = None
    closed = False
    line_buffering = True

    def __init__(self, level, number, sink):
        self._level, self._number, self._sink, self._line = level, number, sink, ""

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not " + type(text).__name__)
        held = self._line + text
        end = held.rfind("\n") + 1
        self._line = held[end:]
        if len(self._line) > 8192:
            end, self._line = len(held), ""
        if end:
            self.write_level(self._level, held[:end])
        return len(text)

    def write_level(self, level, text):
        self._sink(marked(level, text))

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        if self._line:
            line, self._line = self._line, ""
            self.write_level(self._level, line)

    def fileno(self):
        return self._number

    def isatty(self):
        return False

    def readable(self):
        return False

    def writable(self):
        return True

    def seekable(self):
        return False

    def close(self):
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    @property
    def buffer(self):
        import io

        return io.FileIO(self._number, "wb", closefd=False)

    @property
    def name(self):
        return "<stdout>" if self._number == 1 else "<stderr>"

    mode = "w"


def show_warning(message, category, filename, lineno, file=None, line=None):
    """`warnings`, as a line of its level."""
    text = "%s:%s: %s: %s\n" % (filename, lineno, category.__name__, message)
    if file is None:
        sys.stderr.write_level("w", text) if hasattr(sys.stderr, "write_level") else sys.stderr.write(text)
    else:
        file.write(text)
