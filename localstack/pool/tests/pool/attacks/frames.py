def handler(event):
    # A length that no frame has, after the answer to an invocation that nobody made.
    os.write(3, (19).to_bytes(4, "little") + b"\x11" + bytes(17) + b"[]" + b"\xff\xff\xff\xff\x11" + b"x" * 10000)
    time.sleep(1000)
