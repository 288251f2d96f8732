const fs = require('fs'), os = require('os'), net = require('net'), path = require('path');
const { setTimeout: pause } = require('timers/promises');
const through = [];
// Notes the name of what works.
const attempt = (name, act) => {
  try {
    act();
  } catch {
    return;
  }
  through.push(name);
};
const connects = (name, to) => new Promise((resolve) => {
  let socket;
  try {
    socket = net.connect(to);
  } catch {
    return resolve();
  }
  socket.on('connect', () => resolve(through.push(name)));
  socket.on('error', resolve);
  socket.setTimeout(2000, resolve);
});
