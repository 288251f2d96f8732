exports.handler = async (event) => {
  const above = event.sandbox === 'landlock' ? [process.ppid] : [];
  for (const pid of [event.server, event.victim, -event.server, ...above]) {
    for (const signal of [0, 'SIGSTOP', 'SIGTERM', 'SIGKILL']) attempt(`kill ${pid} ${signal}`, () => process.kill(pid, signal));
    attempt(`priority ${pid}`, () => os.setPriority(Math.abs(pid), 19));
  }
  return through;
};
