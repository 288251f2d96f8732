exports.handler = async () => {
  const { spawnSync } = require('child_process');
  for (const program of ['/usr/bin/su', '/usr/bin/sudo', '/usr/bin/passwd', '/bin/mount', '/usr/bin/bwrap']) {
    if (spawnSync(program, ['--help'], { timeout: 2000 }).error === undefined) through.push(program);
  }
  attempt('setuid', () => process.setuid(1));
  attempt('setgid', () => process.setgid(1));
  attempt('setgroups', () => process.setgroups([1]));
  attempt('priority', () => os.setPriority(0, -5));
  return through;
};
