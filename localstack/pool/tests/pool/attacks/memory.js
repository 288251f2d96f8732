exports.handler = async () => {
  const { Worker } = require('worker_threads');
  const eat = 'const kept = []; for (;;) kept.push(Buffer.alloc(1 << 20, 1), new SharedArrayBuffer(1 << 20))';
  for (let i = 0; i < 4; i++) new Worker(eat, { eval: true }).on('error', () => {});
  const kept = [];
  for (;;) {
    kept.push(Buffer.alloc(1 << 22, 1));
    await pause(1);
  }
};
