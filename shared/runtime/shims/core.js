'use strict';
// What wraps a user's JavaScript in both homes: loads it, calls its handler, says what came of it.
// One of two fronts follows this text in the same file: the pool's (pool.js) or AWS Lambda's (lambda.js).

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

class Context {
  #deadline;
  constructor(told, deadline) {
    this.function_id = told.function_id;
    this.function_name = told.function_name;
    this.version = told.version;
    this.job_id = told.job_id;
    this.attempt = told.attempt;
    this.memory_mb = told.memory_mb;
    this.#deadline = deadline;
  }
  /** Milliseconds until the run is stopped. */
  remainingTimeMs() {
    return Math.max(0, Math.trunc(this.#deadline - now()));
  }
}

/** Runs the user's module, which lies (or would lie) at `file`, and returns its handler. */
async function load(source, file, isModule) {
  let handler;
  if (isModule) {
    const namespace = await import(require('node:url').pathToFileURL(file).href);
    handler = namespace.handler ?? namespace.default?.handler;
  } else {
    const Module = require('node:module');
    const module = new Module(file, null);
    module.filename = file;
    module.paths = [];
    module._compile(source, file);
    module.loaded = true;
    handler = module.exports?.handler;
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

/** The result as JSON text. */
function encode(result) {
  let text;
  try {
    if (result === undefined) return 'null';
    text = stringify(result);
    // What JSON.stringify passes over in silence shows as one of these.
    if (text === undefined || text.includes('null') || text.includes('{}')) complain(result);
  } catch (error) {
    if (error instanceof RunError) throw error;
    complain(result);
    if (error instanceof RangeError) {
      throw new RunError("The handler's result can't be JSON: it is nested too deeply, or too large. Return something flatter, or less.");
    }
    throw new RunError(`The handler's result can't be JSON: ${messageOf(error)}`);
  }
  if (text.includes('\\ud')) text = text.replace(/(\\\\)|\\u[dD][89a-fA-F][0-9a-fA-F]{2}/g, (all, pair) => pair ?? '\ufffd');
  // A unit of UTF-16 takes three bytes at most.
  const bytes = text.length * 3 > OUTPUT_LIMIT ? byteLength(text) : 0;
  if (bytes > OUTPUT_LIMIT) {
    throw new RunError(`The handler's result is too large: ${bytes.toLocaleString('en')} bytes of JSON, and ` +
      `${OUTPUT_LIMIT.toLocaleString('en')} are the most. Return less, or return it in parts.`);
  }
  return text;
}

/** Fails with the place of the first value that JSON can't carry, if there is one. */
function complain(result) {
  const paths = new Map();
  const inside = [];
  const fail = (what, where, instead) => {
    throw new RunError(`The handler's result can't be JSON: it holds ${what} (at ${where}). ${instead}`);
  };
  const look = function (key, value) {
    // The outermost holder is the wrapper made right here.
    const holder = paths.get(this);
    const where = !holder ? key : Array.isArray(this) ? `${holder}[${key}]` : `${holder}.${key}`;
    while (inside.length && inside[inside.length - 1] !== this) inside.pop();
    switch (typeof value) {
      case 'number':
        if (!Number.isFinite(value)) fail(String(value), where, 'JSON has no word for that: return null or a string instead.');
        break;
      case 'bigint':
        fail('a BigInt', where, 'Return String(value) or Number(value) instead.');
        break;
      case 'function':
      case 'symbol':
        if (where === 'result') fail(article(value), where, 'Return an object, array, string, number, boolean or null instead.');
        break;
      case 'object':
        if (value === null) break;
        if (inside.includes(value)) fail('itself, a circular reference', where, 'Return a copy without the cycle.');
        if (util.types.isPromise(value)) fail('a Promise', where, 'Await it before you return it.');
        if (util.types.isMap(value)) fail('a Map', where, 'Return Object.fromEntries(map) instead.');
        if (util.types.isSet(value)) fail('a Set', where, 'Return [...set] instead.');
        paths.set(value, where);
        inside.push(value);
    }
    return value;
  };
  try {
    stringify({ result }, look);
  } catch (error) {
    if (error instanceof RunError) throw error;
    // What else is wrong with it, whoever asked will say.
  }
}

function article(value) {
  const name = value === null ? 'null' : typeof value === 'object' ? value.constructor?.name ?? 'object' : typeof value;
  return value === null ? name : (/^[aeiou]/i.test(name) ? 'an ' : 'a ') + name;
}

function messageOf(error) {
  try {
    return String(error?.message ?? error);
  } catch {
    return 'an error that can not be shown';
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
      text = `Thrown: ${inspect(error, { depth: 4 })}\nWhat was thrown is ${article(error)} and not an Error, so there is no stack. ` +
        'Throw new Error(…) to get one.';
    }
  } catch {
    text = `Thrown: ${messageOf(error)}`;
  }
  return (prefix + text).slice(0, ERROR_LIMIT);
}

/** Takes out the frames that are ours or Node's own machinery, and the folder that the user's file happens to lie in. */
function ownFrames(text, folder) {
  return text
    .split('\n')
    .filter((line) => !/^\s*at .*(node:internal\/|\bnode:events:)/.test(line) && !(line.includes(__filename) && /^\s*at /.test(line)))
    .join('\n')
    .replaceAll('file://' + folder, '')
    .replaceAll(folder, '')
    .replace(/(\n\s*-|\nRequire stack:\s*)+ ?main\.js$/gm, '');
}

/** The text with every line of it marked. */
function marked(level, text) {
  if (level === 'i') return text;
  const mark = MARK + level;
  const end = text.endsWith('\n') ? '\n' : '';
  return mark + text.slice(0, text.length - end.length).replaceAll('\n', '\n' + mark) + end;
}

/** Sends what the code prints to `sink`, which takes marked text or raw bytes. */
function capture(sink) {
  let level = null;
  const to = (usual) => ({ write: (text) => sink(marked(level ?? usual, text)), on() {}, once() {}, removeListener() {}, listenerCount: () => 0 });
  const own = new Console({ stdout: to('i'), stderr: to('e'), colorMode: false });
  const levels = { debug: 'd', warn: 'w', error: 'e', trace: 'e', assert: 'e' };
  for (const name of Object.keys(own)) {
    const method = own[name];
    if (typeof method !== 'function') continue;
    console[name] = name in levels
      ? { [name](...args) {
        const before = level;
        level = levels[name];
        try {
          method.apply(own, args);
        } finally {
          level = before;
        }
      } }[name]
      : method;
  }
  stream('stdout', 1, 'i', sink);
  stream('stderr', 2, 'e', sink);
}

/** process.stdout and process.stderr, made when first asked for: most code never does. */
function stream(name, fd, level, sink) {
  let made;
  Object.defineProperty(process, name, {
    configurable: true,
    enumerable: true,
    get() {
      if (made === undefined) {
        const { Writable } = require('node:stream');
        made = new Writable({
          decodeStrings: false,
          write(chunk, _encoding, done) {
            sink(level === 'i' || typeof chunk !== 'string' ? chunk : marked(level, chunk));
            done();
          },
        });
        made.fd = fd;
        made.isTTY = false;
      }
      return made;
    },
  });
}
