exports.handler = async (event) => {
  await connects('path', { path: event.unix });
  await connects('abstract', { path: '\0' + event.abstract });
  for (const name of ['/run/systemd/journal/stdout', '/run/dbus/system_bus_socket', '/var/run/docker.sock']) await connects(name, { path: name });
  return through;
};
