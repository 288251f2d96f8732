exports.handler = async (event) => {
  for (const pid of [event.server, event.victim, process.ppid, -event.server]) {
    for (const signal of [0, 'SIGSTOP', 'SIGTERM', 'SIGKILL']) attempt(`kill ${pid} ${signal}`, () => process.kill(pid, signal));
    attempt(`priority ${pid}`, () => os.setPriority(Math.abs(pid), 19));
  }
  return through;
};
