exports.handler = async (event) => {
  for (const pid of ['1', event.server, event.victim]) {
    for (const name of ['environ', 'cmdline', 'maps', 'mem', 'stat']) {
      attempt(`read ${pid} ${name}`, () => fs.readSync(fs.openSync(`/proc/${pid}/${name}`), Buffer.alloc(1)));
    }
    for (const name of ['fd', 'root/etc', 'cwd', 'task']) attempt(`list ${pid} ${name}`, () => fs.readdirSync(`/proc/${pid}/${name}`));
    attempt(`exe ${pid}`, () => fs.readlinkSync(`/proc/${pid}/exe`));
  }
  for (const file of ['kallsyms', 'kcore', 'kmsg', 'sys/kernel/core_pattern', 'sysrq-trigger', 'self/root/etc/hostname']) {
    attempt('read ' + file, () => fs.readSync(fs.openSync('/proc/' + file), Buffer.alloc(1)));
    attempt('write ' + file, () => fs.openSync('/proc/' + file, 'w'));
  }
  for (const file of ['oom_score_adj', 'uid_map', 'mem']) attempt('write ' + file, () => fs.openSync('/proc/self/' + file, 'r+'));
  return through;
};
