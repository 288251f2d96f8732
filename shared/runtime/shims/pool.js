
// ---- The pool's front: frames on file descriptors 3 and 4, printed text on 1 and 2. ------------------------------
//
// Between runs the thread blocks in read(2), so the event loop stands still as it does on Lambda; during a run it is
// the user's.

const { readSync, writeSync } = fs;
const { setImmediate } = globalThis;
const ANSWERS = 3, REQUESTS = 4;
const LOAD = 1, CHECK = 3, READY = 16, RESULT = 17, ERROR = 18, RETIRE = 1, HEAD = 22, WORD = 2 ** 32;
const SMALL = 64 * 1024;
const buffer = Buffer.allocUnsafeSlow(SMALL);
const outgoing = Buffer.allocUnsafeSlow(SMALL);
const exit = process.reallyExit.bind(process);
// Where the user's file goes.
const home = process.argv[2] + path.sep;
let frame = buffer, held = 0;

const told = {};
let source = '', isModule = false, file = '', name = 'handler';
// Processes that the user's code started and that are still there.
let children = 0;

function write(fd, data, end = data.length) {
  for (let at = 0; at < end;) at += writeSync(fd, data, at, end - at);
}

function print(data) {
  write(1, typeof data === 'string' ? Buffer.from(data) : data);
}

/** Takes the next frame, which is good until the frame after, into `frame`. Where it ends. */
function receive() {
  while (held < 4) held += read(buffer, held);
  const end = 4 + buffer.readUInt32LE(0);
  frame = buffer;
  if (end > SMALL) {
    frame = Buffer.allocUnsafeSlow(end);
    buffer.copy(frame, 0, 0, held);
    for (let have = held; have < end;) have += read(frame, have);
    held = 0;
  } else {
    while (held < end) held += read(buffer, held);
    if (held > end) {
      frame = Buffer.from(buffer.subarray(0, end));
      buffer.copy(buffer, 0, end, held);
    }
    held -= end;
  }
  return end;
}

function read(into, at) {
  const got = readSync(REQUESTS, into, at, into.length - at, null);
  // The server is gone.
  if (got === 0) exit(0);
  return got;
}

function send(kind, mine, flags, took, text) {
  // A unit of UTF-16 takes three bytes at most.
  const out = text.length * 3 + HEAD <= SMALL ? outgoing : Buffer.allocUnsafeSlow(byteLength(text) + HEAD);
  const end = HEAD + out.write(text, HEAD);
  const us = Math.max(0, Math.round(took * 1000));
  out.writeUInt32LE(end - 4, 0);
  out[4] = kind;
  out.writeUInt32LE(mine.low, 5);
  out.writeUInt32LE(mine.high, 9);
  out[13] = flags;
  out.writeUInt32LE(us % WORD, 14);
  out.writeUInt32LE(Math.floor(us / WORD), 18);
  write(ANSWERS, out, end);
}

function next() {
  let end = receive();
  if (frame[4] === LOAD) {
    specialise(frame.subarray(5, end));
    end = receive();
  }
  if (frame[4] === CHECK) {
    const asked = { low: frame.readUInt32LE(5), high: frame.readUInt32LE(9) };
    send(RESULT, asked, 0, 0, check(frame.toString('utf8', 13, end)));
    setImmediate(next);
    return;
  }
  const mine = run = new Run(frame.readUInt32LE(13) + frame.readUInt32LE(17) * WORD);
  mine.low = frame.readUInt32LE(5);
  mine.high = frame.readUInt32LE(9);
  told.job_id = mine.job;
  told.attempt = frame.readUInt32LE(21);
  mine.began = now();
  const context = new Context(told, mine, mine.began + frame.readUInt32LE(25));
  const event = frame.toString('utf8', 29, end);
  if (handler === null) {
    begin(mine, event, context);
  } else {
    invoke(mine, event, context);
  }
}

async function begin(mine, event, context) {
  try {
    trackIfUnseen(source);
    const loading = () => load(source, file, isModule, name);
    const loaded = await (tracker === null ? loading() : tracker.run(mine, loading));
    prepare(loaded, source);
    mine.began = now();
  } catch (error) {
    return fail(mine, error, '', true);
  }
  invoke(mine, event, context);
}

const decode = parse;

function finish(mine, text, hasFailed, isSpoilt) {
  send(hasFailed ? ERROR : RESULT, mine, isSpoilt || children > 0 ? RETIRE : 0, mine.took, text);
  next();
}

function specialise(body) {
  const end = 4 + body.readUInt32LE(0);
  const head = parse(body.toString('utf8', 4, end));
  source = body.toString('utf8', end);
  isModule = head.module === 'esm';
  name = head.handler;
  folder = home;
  file = folder + (isModule ? 'main.mjs' : 'main.js');
  for (const name of ['function_id', 'function_name', 'version', 'memory_mb']) told[name] = head[name];
  Object.assign(process.env, head.environment);
  try {
    fs.writeFileSync(file, source);
  } catch {
    // The machine's disk is full. Most scripts do without; a module says so when it is imported.
  }
  if (source.includes('child_process')) countChildren();
}

/** Counts the processes that the code starts, if it is of that kind. */
function countChildren() {
  const { ChildProcess } = require('node:child_process');
  const { spawn } = ChildProcess.prototype;
  ChildProcess.prototype.spawn = function (...options) {
    const failed = spawn.apply(this, options);
    if (this.pid !== undefined) {
      children += 1;
      this.once('exit', () => {
        children -= 1;
      });
    }
    return failed;
  };
}

/** `os.userInfo()` where no file of users can be read. */
function nameUser() {
  const os = require('node:os');
  const { userInfo } = os;
  os.userInfo = function (options) {
    try {
      return userInfo(options);
    } catch (error) {
      if (error.code !== 'ERR_SYSTEM_ERROR') throw error;
      const asked = (text) => (options?.encoding === 'buffer' ? Buffer.from(text) : text);
      return { uid: process.getuid(), gid: process.getgid(), username: asked(process.env.USER ?? ''), homedir: asked(os.homedir()), shell: null };
    }
  };
  require('node:module').syncBuiltinESMExports();
}

process.on('unhandledRejection', (error) => {
  if (run !== null && process.listenerCount('unhandledRejection') === 1) blame(error, 'Unhandled promise rejection: ');
});
process.on('uncaughtException', (error) => {
  if (process.listenerCount('uncaughtException') > 1) return;
  if (run === null) exit(1);
  blame(error, 'Uncaught exception: ');
});

process.argv = [process.argv[0], 'main.js'];
capture(print);
nameUser();
write(ANSWERS, Buffer.from([1, 0, 0, 0, READY]));
setImmediate(next);
