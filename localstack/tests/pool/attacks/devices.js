exports.handler = async () => {
  for (const name of ['mem', 'kmsg', 'vda', 'sda', 'tty', 'console', 'ptmx', 'fuse', 'kvm', 'net/tun']) {
    attempt('read ' + name, () => fs.readSync(fs.openSync('/dev/' + name), Buffer.alloc(1)));
  }
  for (const name of ['', 'shm', 'pts', 'input']) attempt('list ' + name, () => fs.readdirSync('/dev/' + name));
  return through;
};
