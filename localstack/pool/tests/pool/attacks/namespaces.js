exports.handler = async () => {
  const { spawnSync } = require('child_process');
  for (const [name, ...words] of [
    ['unshare', '-Ur', 'true'], ['mount', '-t', 'tmpfs', 'x', '/tmp'], ['bwrap', '--bind', '/', '/', 'true'], ['nsenter', '-t', '1', '-a', 'true'],
    ['/init', 'sandbox-init', '{}'], ['/usr/bin/env', 'true'],
  ]) {
    const { status } = spawnSync(name, words, { timeout: 2000 });
    if (status === 0) through.push(name);
  }
  attempt('hostname', () => fs.writeFileSync('/proc/sys/kernel/hostname', 'x'));
  return through;
};
