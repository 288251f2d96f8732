exports.handler = async (event) => {
  for (const file of ['/proc/sysvipc/msg', '/proc/sysvipc/shm', '/dev/mqueue', `/dev/mqueue/${event.mark}`, `/dev/shm/${event.mark}`]) {
    attempt('read ' + file, () => fs.readSync(fs.openSync(file), Buffer.alloc(1)));
    attempt('list ' + file, () => fs.readdirSync(file));
    attempt('unlink ' + file, () => fs.unlinkSync(file));
  }
  return through;
};
