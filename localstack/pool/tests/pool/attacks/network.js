exports.handler = async (event) => {
  for (const host of ['127.0.0.1', '0.0.0.0', '::1', '::ffff:127.0.0.1']) await connects(host, { host, port: event.tcp });
  await connects('metadata', { host: '169.254.169.254', port: 80 });
  await connects('internet', { host: '1.1.1.1', port: 53 });
  await fetch(`http://127.0.0.1:${event.tcp}/`, { signal: AbortSignal.timeout(2000) }).then(() => through.push('fetch'), () => {});
  await require('dns').promises.lookup('example.com').then(() => through.push('resolver'), () => {});
  return through;
};
