exports.handler = async () => {
  JSON.stringify = () => '[]';
  JSON.parse = () => ({});
  for (const type of [Object, Array, String, Buffer, Promise, Map, Error, Function]) {
    for (const name of ['toJSON', 'then', 'get', 'set', 'copy', 'push', 'toString', 'write', 'subarray', 'call', 'apply', 'bind']) {
      try {
        type.prototype[name] = () => [];
      } catch {}
    }
  }
  process.reallyExit = process.emit = globalThis.setImmediate = Buffer.byteLength = () => 0;
  return [];
};
