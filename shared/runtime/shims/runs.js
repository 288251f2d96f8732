
// ---- Runs: the handler is called, and what comes of it first is its answer. --------------------------------------
//
// The front that follows says how an event is read, decode(event), and gives each run its end: finish(run, text,
// hasFailed, isSpoilt). Spoilt is a process that should not run the next one.

/** One call of the handler. */
class Run {
  began = 0;
  took = 0;
  /** Whether it is known what its answer is to be. */
  settled = false;
  failed = false;
  /** `context.callbackWaitsForEmptyEventLoop`. */
  waits = true;
  /** Whether `value` is its answer as soon as nothing is left to run. */
  lingers = false;
  value = undefined;
  constructor(job) {
    this.job = job;
  }
}

const AT_ONCE = 0, PERHAPS_LATER = 1, BY_CALLBACK = 2;
// Work of these is not among what Node says keeps it alive.
const UNSEEN = /zlib|pbkdf2|scrypt|hkdf|randomFill|generateKey|subtle|unref|CompressionStream|\bref:/;
const IDLE = process.getActiveResourcesInfo().length;

/** The run under way, if there is one. */
let run = null;
let handler = null, folder = '', answers = AT_ONCE;
// Tells which run something asynchronous comes from. That takes three times as long per promise, so it begins when the
// first run has left something behind: that run is `left`.
let tracker = null, left = null;
let spoilt = false;

/** Makes ready to call the user's handler. */
function prepare(loaded, source) {
  handler = loaded;
  answers = howItAnswers(loaded, source);
}

/** Before the source is run. */
function trackIfUnseen(source) {
  if (UNSEEN.test(source)) track(null);
}

function track(by) {
  left = by;
  tracker = new (require('node:async_hooks').AsyncLocalStorage)();
}

/** Whether a handler answers by its callback, as on AWS Lambda: certainly if it names three parameters. */
function howItAnswers(handler, source) {
  if (handler.length >= 3) return BY_CALLBACK;
  const text = Function.prototype.toString.call(handler);
  const head = /^[^]*?(?:=>|\)\s*\{|\[native code\])/.exec(text)?.[0] ?? text;
  // A third parameter may hide behind a default, a rest, or `arguments`; and there is context.succeed().
  const may = /\[native code\]|\.\.\.|=(?!>)/.test(head) || /\barguments\b/.test(text) ||
    (handler.length === 2 && /\bsucceed\b|\.\s*(?:done|fail)\b/.test(source));
  return may ? PERHAPS_LATER : AT_ONCE;
}

function invoke(mine, event, context) {
  try {
    const result = tracker === null ? call(mine, event, context) : tracker.run(mine, call, mine, event, context);
    if (typeof result?.then === 'function') {
      result.then((value) => settle(mine, value), (error) => fail(mine, error));
    } else if (answers === AT_ONCE || (answers === PERHAPS_LATER && result !== undefined && isCarried(result))) {
      settle(mine, result);
    } else if (!mine.settled) {
      linger(mine, result);
    }
  } catch (error) {
    fail(mine, error);
  }
}

function call(mine, event, context) {
  event = decode(event);
  if (answers === AT_ONCE) return handler(event, context);
  return handler(event, context, (error, value) => called(mine, error, value, mine.waits));
}

/** The handler's callback, or its like of the context. */
function called(mine, error, value, waits) {
  if (error !== undefined && error !== null) {
    if (run === mine) fail(mine, error);
    else stray(mine, error, 'The callback was called with an error: ');
  } else if (!mine.settled) {
    if (waits) linger(mine, value);
    else settle(mine, value);
    mine.settled = true;
  }
}

/** The run's answer is `value` when nothing is left to run. */
function linger(mine, value) {
  mine.lingers = true;
  mine.value = value;
}

function settle(mine, value) {
  if (mine.settled) return;
  mine.settled = true;
  mine.took = now() - mine.began;
  if (isResponse(value)) {
    shaped(value).then((result) => conclude(mine, result), (error) => fail(mine, error, '', false, true));
  } else {
    conclude(mine, value);
  }
}

function conclude(mine, value) {
  // One turn of the loop first, so that a rejection nobody handles is this run's and not the next one's.
  setImmediate(() => {
    if (run !== mine || mine.failed) return;
    let text;
    try {
      text = encode(value);
    } catch (error) {
      return end(mine, describe(error, folder), true);
    }
    end(mine, text, false);
  });
}

/** The run has failed. What was thrown at no one in particular fails it even if its answer is known already. */
function fail(mine, error, prefix = '', isSpoilt = false, always = isSpoilt) {
  if (mine.failed || run !== mine || (mine.settled && !always)) return;
  mine.settled = mine.failed = true;
  mine.took = now() - mine.began;
  const text = describe(error, folder, prefix);
  setImmediate(() => end(mine, text, true, isSpoilt));
}

function end(mine, text, hasFailed, isSpoilt = false) {
  if (run !== mine) return;
  run = null;
  if (streams.size > 0) flush();
  if (tracker === null && process.getActiveResourcesInfo().length > IDLE) track(mine);
  finish(mine, text, hasFailed, isSpoilt || spoilt);
}

/** The run that what runs just now comes from. */
function origin() {
  return tracker === null ? run : tracker.getStore() ?? left ?? run;
}

/** Somewhere, something failed that nobody waits for: the run under way is to blame, or one that has ended. */
function blame(error, prefix) {
  const from = origin();
  if (error === ENDED) return;
  if (from !== null && from === run) return fail(run, error, prefix, true);
  spoilt = true;
  stray(from, error, prefix);
}

function stray(from, error, prefix) {
  tell('e', `Left over from an earlier run${from === null ? '' : ` (job ${from.job})`}: ${describe(error, folder, prefix)}`);
}

// What an earlier run has left behind ends itself, and not the run under way.
const ENDED = new RunError('process.exit() was called.');
const { exit: leave } = process;
process.exit = function exit(code) {
  const from = origin();
  if (run === null || from === run) leave.call(process, code);
  spoilt = true;
  stray(from, ENDED, '');
  throw ENDED;
};

process.on('beforeExit', () => {
  const mine = run;
  if (mine === null) return;
  if (!mine.lingers) {
    return fail(mine, new RunError("The handler's promise never settled: nothing is left to run that could resolve or reject it. " +
      'Look for a callback that is never called, or a promise without resolve.'), '', true);
  }
  mine.lingers = mine.settled = false;
  settle(mine, mine.value);
});
