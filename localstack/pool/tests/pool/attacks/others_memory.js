exports.handler = async (event) => {
  for (const pid of [event.server, event.victim, process.ppid, 1]) {
    attempt('mem ' + pid, () => fs.openSync(`/proc/${pid}/mem`));
    // Asks another Node process for its inspector.
    attempt('debug ' + pid, () => process._debugProcess(pid));
  }
  return through;
};
