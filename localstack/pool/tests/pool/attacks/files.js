exports.handler = async (event) => {
  const tmp = os.tmpdir();
  for (const target of event.paths) {
    attempt('read ' + target, () => fs.readSync(fs.openSync(target), Buffer.alloc(1)));
    attempt('append ' + target, () => fs.openSync(target, 'a'));
    attempt('list ' + target, () => fs.readdirSync(target));
    attempt('unlink ' + target, () => fs.unlinkSync(target));
    attempt('rename ' + target, () => fs.renameSync(target, target + 'x'));
    attempt('truncate ' + target, () => fs.truncateSync(target));
    attempt('link ' + target, () => fs.linkSync(target, path.join(tmp, 'l')));
    attempt('copy ' + target, () => fs.copyFileSync(target, path.join(tmp, 'c')));
    attempt('by way of a link ' + target, () => {
      fs.rmSync(path.join(tmp, 's'), { force: true });
      fs.symlinkSync(target, path.join(tmp, 's'));
      fs.readSync(fs.openSync(path.join(tmp, 's')), Buffer.alloc(1));
    });
  }
  attempt('append to the interpreter', () => fs.openSync(process.execPath, 'a'));
  attempt('up and out', () => fs.readFileSync('../../../../../../../etc/hostname'));
  attempt('import', () => require('/etc/hostname'));
  return through;
};
