
// ---- AWS Lambda's front: the event carries the user's event and context, the answer is the envelope. -------------

const LOGS_LIMIT = 256 * 1024;
// Bytes of a result beyond which it is packed: Lambda carries 6 MB, and JSON in JSON grows.
const PACKED = 1024 * 1024;
const { deflateSync } = require('node:zlib');
const LEVELS = { d: 'debug', i: 'info', w: 'warn', e: 'error' };
const passOn = fs.writeSync;
folder = __dirname + path.sep;
// What is printed between two runs is the later one's.
let lines = [], room = LOGS_LIMIT, cold = true, reply = null;

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

// Lambda's own listeners fail the invocation, and those that come after it, for what a run has left behind.
for (const [name, prefix] of [['unhandledRejection', 'Unhandled promise rejection: '], ['uncaughtException', 'Uncaught exception: ']]) {
  process.removeAllListeners(name);
  process.on(name, (error) => {
    if (process.listenerCount(name) === 1) blame(error, prefix);
  });
}
const lambdas = process.listeners('beforeExit');
const ours = lambdas.pop();
process.removeAllListeners('beforeExit');
process.on('beforeExit', (code) => {
  if (run !== null) ours();
  else for (const listener of lambdas) listener(code);
});

const isModule = fs.existsSync(folder + 'main.mjs');
const file = folder + (isModule ? 'main.mjs' : 'main.js');

async function begin(mine, request, context) {
  try {
    const source = fs.readFileSync(file, 'utf8');
    trackIfUnseen(source);
    const loading = () => load(source, file, isModule, request.handler);
    prepare(await (tracker === null ? loading() : tracker.run(mine, loading)), source);
    mine.began = now();
  } catch (error) {
    return fail(mine, error);
  }
  invoke(mine, request.event, context);
}

/** What the interpreter says of the user's code, which isn't run. In a thread, for the sake of an option that it needs. */
function compiled() {
  const { Worker } = require('node:worker_threads');
  return new Promise((resolve, reject) => {
    const worker = new Worker(folder + 'check.js', {
      execArgv: ['--experimental-vm-modules', '--no-warnings'],
      workerData: { source: fs.readFileSync(file, 'utf8'), kind: isModule ? 'esm' : 'commonjs' },
    });
    worker.once('message', resolve).once('error', reject);
    worker.once('exit', () => reject(new Error('the check ended early')));
  });
}

exports.handler = (request, aws) => {
  if (request.check === true) return compiled().then((text) => ({ compiled: text }));
  aws.callbackWaitsForEmptyEventLoop = false;
  return new Promise((resolve) => {
    reply = resolve;
    const mine = run = new Run(request.context.job_id);
    mine.began = now();
    const context = new Context(request.context, mine, mine.began + aws.getRemainingTimeInMillis());
    if (handler === null) begin(mine, request, context);
    else invoke(mine, request.event, context);
  });
};

function decode(event) {
  return event;
}

function finish(mine, text, hasFailed) {
  const envelope = { output: null, error: hasFailed ? text : null, cold_start: cold, duration_ms: mine.took, logs: lines };
  if (!hasFailed) {
    if (byteLength(text) > PACKED) envelope.packed = deflateSync(text, { level: 1 }).toString('base64');
    else envelope.output = text;
  }
  cold = false;
  lines = [];
  room = LOGS_LIMIT;
  reply(envelope);
}
