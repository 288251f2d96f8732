exports.handler = async (event) => {
  const seen = Object.keys(process.env);
  for (const file of ['/proc/self/environ', '/proc/1/environ', `/proc/${process.ppid}/environ`, `/proc/${event.server}/environ`]) {
    try {
      seen.push(...fs.readFileSync(file, 'utf8').split('\0').map((line) => `${file} ${line.split('=')[0]}`));
    } catch {}
  }
  return seen.filter((name) => event.outside.includes(name.split(' ').at(-1)));
};
