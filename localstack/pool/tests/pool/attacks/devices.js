exports.handler = async (event) => {
  // Under bubblewrap it has one of its own.
  const own = event.sandbox === 'landlock' ? ['shm'] : [];
  for (const name of ['mem', 'kmsg', 'vda', 'sda', 'tty', 'console', 'ptmx', 'fuse', 'kvm', 'net/tun']) {
    attempt('read ' + name, () => fs.readSync(fs.openSync('/dev/' + name), Buffer.alloc(1)));
  }
  for (const name of ['', 'pts', 'input', ...own]) attempt('list ' + name, () => fs.readdirSync('/dev/' + name));
  return through;
};
