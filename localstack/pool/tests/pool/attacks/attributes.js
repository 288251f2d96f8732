exports.handler = async (event) => {
  for (const file of [process.execPath, event.paths.at(-1)]) {
    attempt('mode ' + file, () => fs.chmodSync(file, 0o777));
    attempt('owner ' + file, () => fs.chownSync(file, 0, 0));
    attempt('times ' + file, () => fs.utimesSync(file, 1, 1));
    attempt('own times ' + file, () => fs.lutimesSync(file, 1, 1));
    attempt('of what is open ' + file, () => fs.futimesSync(fs.openSync(file), 1, 1));
    attempt('mode of what is open ' + file, () => fs.fchmodSync(fs.openSync(file), 0o777));
  }
  return through;
};
