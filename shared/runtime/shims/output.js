
// ---- What is printed and logged: lines that carry a level. -------------------------------------------------------

/** Adds to the log of the run under way. */
let tell;

/** The text with every line of it marked. */
function marked(level, text) {
  if (level === 'i') return text;
  const mark = MARK + level;
  const end = text.endsWith('\n') ? '\n' : '';
  return mark + text.slice(0, text.length - end.length).replaceAll('\n', '\n' + mark) + end;
}

/** Sends what the code prints to `sink`, which takes marked text or raw bytes. */
function capture(sink) {
  tell = (level, text) => sink(marked(level, text + '\n'));
  let level = null;
  // A stack that is printed is the user's own, like one that is answered.
  const clean = (text) => (text.includes(__filename) ? ownFrames(text, folder) : text);
  const to = (usual) => ({ write: (text) => sink(marked(level ?? usual, clean(text))), on() {}, once() {}, removeListener() {}, listenerCount: () => 0 });
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

// process.stdout and process.stderr, as far as they were asked for: most code never does.
const streams = new Set();

function stream(name, fd, level, sink) {
  let made;
  // Whoever ends or destroys it, in a pipeline perhaps, does so for themselves: the next to ask gets a new one.
  const over = () => {
    streams.delete(made);
    made = undefined;
  };
  const make = () => {
    const { Writable } = require('node:stream');
    const own = new Writable({
      decodeStrings: false,
      write(chunk, encoding, done) {
        const data = typeof chunk === 'string' && encoding !== 'utf8' && Buffer.isEncoding(encoding) ? Buffer.from(chunk, encoding) : chunk;
        sink(level === 'i' || typeof data !== 'string' ? data : marked(level, data));
        done();
      },
      final(done) {
        over();
        done();
      },
      destroy(error, done) {
        over();
        done(error);
      },
    });
    own.fd = fd;
    own.isTTY = false;
    streams.add(own);
    return own;
  };
  Object.defineProperty(process, name, { configurable: true, enumerable: true, get: () => (made ??= make()) });
}

/** Lets go of what a run has held back in the streams. */
function flush() {
  for (const made of streams) while (made.writableCorked > 0) made.uncork();
}
