
// ---- AWS Lambda's front: the event carries the user's event and context, the answer is the envelope. -------------

const LOGS_LIMIT = 256 * 1024;
// Bytes of a result beyond which it is packed: Lambda carries 6 MB, and JSON in JSON grows.
const PACKED = 1024 * 1024;
const { deflateSync } = require('node:zlib');
const LEVELS = { d: 'debug', i: 'info', w: 'warn', e: 'error' };
const passOn = fs.writeSync;
const folder = __dirname + path.sep;
let lines = [], room = LOGS_LIMIT, handler = null, cold = true, current = null, began = null;

capture((data) => {
  const text = typeof data === 'string' ? data : Buffer.from(data).toString();
  const plain = [];
  for (let line of (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n')) {
    let level = 'i';
    if (line.startsWith(MARK)) {
      level = line[2];
      line = line.slice(3);
    }
    plain.push(line);
    if (room > 0) {
      room -= byteLength(line) + 1;
      lines.push({ l: LEVELS[level] ?? 'info', t: line.toWellFormed?.() ?? line });
    }
  }
  try {
    passOn(1, plain.join('\n') + '\n');
  } catch {
    // CloudWatch's copy is a courtesy; the envelope has the lines.
  }
});

process.removeAllListeners('unhandledRejection');
process.on('unhandledRejection', (reason) => current?.(reason, 'Unhandled promise rejection: '));

process.on('beforeExit', () => current?.(new RunError("The handler's promise never settled: nothing is left to run " +
  'that could resolve or reject it. Look for a callback that is never called, or a promise without resolve.'), ''));

async function run(request, aws) {
  if (handler === null) {
    const isModule = fs.existsSync(folder + 'main.mjs');
    const file = folder + (isModule ? 'main.mjs' : 'main.js');
    handler = await load(isModule ? '' : fs.readFileSync(file, 'utf8'), file, isModule);
  }
  const context = new Context(request.context, now() + aws.getRemainingTimeInMillis());
  began = now();
  return handler(request.event, context);
}

exports.handler = async (request, aws) => {
  const envelope = { output: null, error: null, cold_start: cold, duration_ms: 0 };
  cold = false;
  lines = [];
  room = LOGS_LIMIT;
  began = null;
  aws.callbackWaitsForEmptyEventLoop = false;
  const failed = new Promise((_, reject) => {
    current = (reason, prefix) => reject(new Rejected(reason, prefix));
  });
  const took = () => (began === null ? 0 : now() - began);
  try {
    const value = await Promise.race([run(request, aws), failed]);
    envelope.duration_ms = took();
    // One turn of the loop, so that a rejection nobody handles is this run's.
    await Promise.race([new Promise((resolve) => setImmediate(resolve)), failed]);
    const text = encode(value);
    if (byteLength(text) > PACKED) envelope.packed = deflateSync(text, { level: 1 }).toString('base64');
    else envelope.output = text;
  } catch (error) {
    envelope.duration_ms ||= took();
    envelope.error = error instanceof Rejected ? describe(error.reason, folder, error.prefix) : describe(error, folder);
  } finally {
    current = null;
  }
  envelope.logs = lines;
  return envelope;
};

class Rejected {
  constructor(reason, prefix) {
    this.reason = reason;
    this.prefix = prefix;
  }
}
