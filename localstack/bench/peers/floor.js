const net = require('net');
const channel = new net.Socket({ fd: 0, readable: true, writable: true });
const handler = (event) => ({ n: event.n + 1 });
let held = Buffer.alloc(0);
channel.on('data', (data) => {
  held = held.length ? Buffer.concat([held, data]) : data;
  while (held.length >= 4 && held.length >= 4 + held.readUInt32LE(0)) {
    const end = 4 + held.readUInt32LE(0);
    const answer = Buffer.from(JSON.stringify(handler(JSON.parse(held.subarray(4, end)))));
    const head = Buffer.alloc(4);
    head.writeUInt32LE(answer.length);
    channel.write(Buffer.concat([head, answer]));
    held = held.subarray(end);
  }
});
channel.on('end', () => process.exit());
