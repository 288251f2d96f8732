def handler(event):
    os.chdir(os.environ["TMPDIR"])
    ctypes.string_at(0)
