exports.handler = async () => {
  // What watches must not say who reads the interpreter's files.
  attempt('watch', () => fs.watch(process.execPath).close());
  attempt('watch a folder', () => fs.watch(path.dirname(process.execPath)).close());
  attempt('watch its own', () => fs.watch(os.tmpdir()).close());
  for (const name of ['locks', 'vmstat', 'interrupts', 'diskstats', 'pressure/cpu', 'sys/fs/inode-nr']) {
    attempt('read ' + name, () => fs.readSync(fs.openSync('/proc/' + name), Buffer.alloc(1)));
  }
  return through;
};
