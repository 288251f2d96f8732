exports.handler = async () => {
  // Node can make no other than these by itself.
  attempt('raw names', () => {
    const { Pipe } = process.binding('pipe_wrap');
    if (new Pipe(0).open(0) === 0) throw new Error('its own stdin is nobody else\'s');
  });
  const interfaces = (() => { try { return Object.values(os.networkInterfaces()).flat(); } catch { return []; } })();
  for (const { address, internal } of interfaces) if (!internal) through.push(address);
  return through.filter((name) => name !== 'raw names');
};
