'use strict';
// What wraps a user's JavaScript in both homes: loads it, calls its handler, says what came of it.
// This text is the first of one file: what may be returned (result.js), what is printed (output.js), runs (runs.js), and
// one of two fronts follow, the pool's (pool.js) or AWS Lambda's (lambda.js).

const fs = require('node:fs');
const path = require('node:path');
const util = require('node:util');
const { Console } = require('node:console');

const OUTPUT_LIMIT = 6 * 1024 * 1024;
const ERROR_LIMIT = 64 * 1024;
// What begins a line that is more, or less, than information: this, and one of d, w, e.
const MARK = '\x1e\x1f';
// Taken now, so that what user code does to the globals is its own affair.
const { stringify, parse } = JSON;
const { inspect } = util;
const { byteLength } = Buffer;
const now = performance.now.bind(performance);

/** The run failed for a reason that is told without a stack. */
class RunError extends Error {}

/** What a handler is told about its run. Lambda's names for the same are read from it, too. */
class Context {
  #run;
  #deadline;
  #began;
  constructor(told, run, deadline) {
    this.function_id = told.function_id;
    this.function_name = told.function_name;
    this.version = told.version;
    this.job_id = told.job_id;
    this.attempt = told.attempt;
    this.memory_mb = told.memory_mb;
    this.#run = run;
    this.#deadline = deadline;
  }
  /** Milliseconds until the run is stopped. */
  remainingTimeMs() {
    return Math.max(0, Math.trunc(this.#deadline - now()));
  }
  /** When the run began. */
  get timestamp() {
    this.#began ??= new Date(Date.now() - (now() - this.#run.began)).toISOString();
    return this.#began;
  }
  get functionName() {
    return this.function_name;
  }
  get functionVersion() {
    return String(this.version);
  }
  get awsRequestId() {
    return String(this.job_id);
  }
  get memoryLimitInMB() {
    return String(this.memory_mb);
  }
  get invokedFunctionArn() {
    return `arn:aws:lambda:::function:${this.function_id}`;
  }
  get logGroupName() {
    return `/functions/${this.function_id}`;
  }
  get logStreamName() {
    return `/jobs/${this.job_id}`;
  }
  // As on Lambda, these work without their object: `promise.then(context.succeed, context.fail)`.
  get getRemainingTimeInMillis() {
    return () => this.remainingTimeMs();
  }
  get done() {
    return (error, value) => called(this.#run, error, value, false);
  }
  get succeed() {
    return (value) => called(this.#run, null, value, false);
  }
  get fail() {
    return (error) => called(this.#run, error ?? 'handled', undefined, false);
  }
  get callbackWaitsForEmptyEventLoop() {
    return this.#run.waits;
  }
  set callbackWaitsForEmptyEventLoop(waits) {
    this.#run.waits = Boolean(waits);
  }
}

/** Runs the user's module, which lies (or would lie) at `file`, and returns its handler, which is called `name` there. */
async function load(source, file, isModule, name = 'handler') {
  let handler;
  const whole = (value) => (typeof value === 'function' ? value : undefined);
  if (isModule) {
    const namespace = await import(require('node:url').pathToFileURL(file).href);
    handler = namespace[name] ?? namespace.default?.[name] ?? whole(namespace.default);
  } else {
    const Module = require('node:module');
    const module = new Module(file, null);
    module.filename = file;
    module.paths = [];
    module._compile(source, file);
    module.loaded = true;
    handler = module.exports?.[name] ?? whole(module.exports);
  }
  if (handler === undefined || handler === null) {
    throw new RunError(`${path.basename(file)} exports no handler. Export one: ` +
      (isModule ? 'export async function handler(event, context) { … }' : 'exports.handler = async (event, context) => { … }'));
  }
  if (typeof handler !== 'function') {
    throw new RunError(`The handler that ${path.basename(file)} exports is ${article(handler)}, not a function.`);
  }
  return handler;
}

/** What kind of thing it is, as in `a Map`. */
function article(value) {
  if (value === null || value === undefined) return String(value);
  let name = typeof value;
  if (name === 'object') {
    const { [Symbol.toStringTag]: tag, constructor } = value;
    name = constructor?.name || 'Object';
    if (name === 'Object' || name === 'Iterator') name = typeof tag === 'string' && tag !== '' ? tag : 'object';
  }
  return (/^[aeio]/i.test(name) ? 'an ' : 'a ') + name;
}

function messageOf(error) {
  try {
    return String(error?.message ?? error);
  } catch {
    return 'an error that cannot be shown';
  }
}

/** An error's text: its type and message, then the user's own stack. */
function describe(error, folder, prefix = '') {
  let text;
  try {
    if (error instanceof RunError) return error.message;
    if (util.types.isNativeError(error) || error instanceof Error) {
      text = ownFrames(inspect(error, { depth: 4, colors: false, compact: 3, breakLength: 110 }), folder);
      if (error instanceof RangeError && /allocation failed/i.test(error.message)) {
        text += '\nOut of memory. Use less, or raise memory_mb.';
      }
    } else {
      text = `Thrown: ${inspect(error, { depth: 4 })}\nWhat was thrown is ${article(error)} and not an Error, so there is no stack trace. ` +
        'Throw new Error(…) to get one.';
    }
  } catch {
    text = `Thrown: ${messageOf(error)}`;
  }
  return (prefix + text).slice(0, ERROR_LIMIT);
}

/** Takes out the frames that are ours or Node's own machinery, and the folder that the user's file happens to lie in. */
function ownFrames(text, folder) {
  const lines = [];
  for (const line of text.split('\n')) {
    if (/^\s*at /.test(line) && (/node:internal\/|\bnode:events:/.test(line) || line.includes(__filename))) {
      // What the error holds beside its message begins after its last frame.
      if (line.endsWith(' {') && lines.length > 0) lines[lines.length - 1] += ' {';
    } else {
      lines.push(line);
    }
  }
  return lines
    .join('\n')
    .replaceAll('file://' + folder, '')
    .replaceAll(folder, '')
    .replace(/(\n\s*-|\nRequire stack:\s*)+ ?main\.js$/gm, '');
}
