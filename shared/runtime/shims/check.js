'use strict';
// Compiles code that somebody wants to save, and never runs it. Needs node --experimental-vm-modules.

/** What the interpreter says of a source, as JSON: as a script, and if it is none, as a module. `kind` asks for one only. */
const check = (() => {
  const PARAMETERS = ['exports', 'require', 'module', '__filename', '__dirname'];
  let session;

  /** Why it doesn't compile; null if it does. */
  function fault(source, compile) {
    const { Session } = require('node:inspector');
    if (session === undefined) {
      session = new Session();
      session.connect();
    }
    let answer;
    // The errors of modules carry no place that can be read. The inspector tells of it.
    globalThis.compile = compile;
    session.post('Runtime.evaluate', { expression: 'compile()', silent: true, objectGroup: 'check' }, (error, result) => {
      answer = error ? { exceptionDetails: { text: error.message } } : result;
    });
    session.post('Runtime.releaseObjectGroup', { objectGroup: 'check' });
    delete globalThis.compile;
    const details = answer.exceptionDetails;
    if (details === undefined) return null;
    const { className, description = '' } = details.exception ?? {};
    if (className !== 'SyntaxError') {
      return { message: 'The code is nested too deeply, or an expression in it is too long. Split it up' };
    }
    // A stack may begin with the place.
    const message = /^SyntaxError: .*/m.exec(description)?.[0] ?? 'SyntaxError';
    const line = source.split(/\r\n|[\n\r\u2028\u2029]/)[details.lineNumber] ?? '';
    const column = [...line.slice(0, details.columnNumber)].length + 1;
    return { message, line: details.lineNumber + 1, column };
  }

  return (source, kind) => {
    const vm = require('node:vm');
    const ways = {
      commonjs: () => void vm.compileFunction(source, PARAMETERS, { filename: 'main.js' }),
      esm: () => void new vm.SourceTextModule(source, { identifier: 'main.mjs' }),
    };
    // What only a module may hold, in V8's words: Node takes a script that fails so for a module too.
    const MODULES = /Cannot use import statement outside|Unexpected token 'export'|Cannot use 'import.meta' outside/;
    let worst = null;
    for (const module of kind ? [kind] : ['commonjs', 'esm']) {
      const found = fault(source, ways[module]);
      if (found === null) return JSON.stringify({ module, fault: null });
      // Wrong either way: of the two readings, the one that gets further is the one that was meant.
      const further = (found.line ?? 0) - (worst?.fault.line ?? 0) || (found.column ?? 0) - (worst?.fault.column ?? 0);
      if (worst === null || further > 0 || MODULES.test(worst.fault.message)) worst = { module, fault: found };
    }
    return JSON.stringify(worst);
  };
})();
