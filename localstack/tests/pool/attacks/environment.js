exports.handler = async (event) => {
  const seen = { ...process.env };
  for (const file of ['/proc/self/environ', '/proc/1/environ', `/proc/${process.ppid}/environ`, `/proc/${event.server}/environ`]) {
    try {
      seen[file] = fs.readFileSync(file, 'utf8');
    } catch {}
  }
  for (const [name, value] of Object.entries(seen)) if (value.includes(event.outside)) through.push(name);
  const own = ['PATH', 'LANG', 'TZ', 'HOME', 'TMPDIR', 'PWD'];
  return [...through, ...Object.keys(process.env).filter((name) => !own.includes(name))];
};
