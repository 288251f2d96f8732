//! What standard libraries need: the calls they make, the files they read, the variables that act from the start.

use domain::function::Module;
use sandbox::SandboxChoice;

use crate::kit::{BOTH, Kit};

pub(super) const BUBBLEWRAP: SandboxChoice = BOTH[0];

/// Runs each of these, and returns what went wrong.
const PYTHON: &str = "
import os, sys, tempfile, traceback
TMP = tempfile.gettempdir()
checks = []
def check(f):
    checks.append(f)
    return f
def handler(event):
    failed = []
    for f in checks:
        try:
            f()
        except BaseException as error:
            failed.append(f.__name__ + ': ' + traceback.format_exc(limit=-3))
    return failed
";

const PYTHON_EVERYWHERE: &str = "
@check
def threads():
    from concurrent.futures import ThreadPoolExecutor
    assert sum(ThreadPoolExecutor(8).map(lambda x: x * x, range(100))) == 328350
@check
def tasks():
    import asyncio
    async def go():
        queue = asyncio.Queue()
        await asyncio.gather(queue.put(1), asyncio.sleep(0.001), asyncio.to_thread(os.getpid))
        return await asyncio.wait_for(queue.get(), 1)
    assert asyncio.run(go()) == 1
@check
def databases():
    import sqlite3, threading
    for mode in ('delete', 'truncate', 'persist', 'wal', 'memory'):
        path = os.path.join(TMP, mode + '.db')
        one, two = sqlite3.connect(path), sqlite3.connect(path)
        assert one.execute('pragma journal_mode=' + mode).fetchone()[0] == mode
        with one: one.execute('create table t (a)')
        for turn in range(20):
            with one: one.execute('insert into t values (?)', (turn,))
            with two: two.execute('insert into t values (?)', (turn,))
        assert one.execute('select count(*) from t').fetchone()[0] == 40
        one.execute('begin immediate')
        two.execute('pragma busy_timeout=1')
        try:
            two.execute('begin immediate')
            raise AssertionError('both write: ' + mode)
        except sqlite3.OperationalError as error:
            assert 'locked' in str(error), error
        one.rollback()
@check
def locks():
    import fcntl
    with open(TMP + '/lock', 'w+') as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(file, fcntl.LOCK_UN)
@check
def mappings():
    import mmap
    m = mmap.mmap(-1, 1 << 20); m[5] = 7; m.madvise(mmap.MADV_DONTNEED); m.close()
    with open(TMP + '/map', 'w+b') as file:
        file.truncate(4096)
        m = mmap.mmap(file.fileno(), 4096); m[0] = 1; m.flush(); m.close()
@check
def files():
    import shutil, zipfile, tarfile, pathlib
    d = pathlib.Path(tempfile.mkdtemp()); (d / 'a').write_text('x'); os.rename(d / 'a', d / 'b'); os.link(d / 'b', d / 'c'); os.symlink('b', d / 's')
    shutil.copyfile(d / 'b', d / 'e'); os.mkfifo(d / 'fifo'); os.truncate(d / 'b', 0); os.sendfile
    with zipfile.ZipFile(d / 'z.zip', 'w') as z: z.write(d / 'e', 'e')
    with tarfile.open(d / 't.tgz', 'w:gz') as t: t.add(d / 'e', 'e')
    with tempfile.NamedTemporaryFile() as f: f.write(b'x'); f.flush(); os.fsync(f.fileno())
    fd = os.open(d / 'p', os.O_RDWR | os.O_CREAT); os.posix_fallocate(fd, 0, 4096); os.pwritev(fd, [b'ab'], 0); assert os.preadv(fd, [bytearray(2)], 0) == 2
    shutil.rmtree(d)
@check
def waiting():
    import select, signal, time
    r, w = os.pipe(); p = select.epoll(); p.register(r); os.write(w, b'x'); assert p.poll(1)
    got = []; signal.signal(signal.SIGALRM, lambda *a: got.append(1)); signal.setitimer(signal.ITIMER_REAL, 0.01); time.sleep(0.05); assert got
    signal.raise_signal(signal.SIGALRM); os.kill(os.getpid(), signal.SIGALRM); assert len(got) == 3
    assert os.read(os.eventfd(3) if hasattr(os, 'eventfd') else r, 8)
    time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID); time.thread_time(); time.get_clock_info('monotonic')
@check
def pairs():
    import socket
    a, b = socket.socketpair(); a.sendall(b'x'); assert b.recv(1) == b'x'; a.settimeout(1)
@check
def itself():
    import resource, platform
    assert os.cpu_count() > 0 and len(os.sched_getaffinity(0)) > 0; os.nice(1); os.getpriority(os.PRIO_PROCESS, 0); os.getloadavg
    resource.getrusage(resource.RUSAGE_SELF); resource.getrlimit(resource.RLIMIT_NOFILE); platform.platform(); os.getpgid(0); os.getsid(0)
    os.urandom(8); os.times(); os.sysconf('SC_PHYS_PAGES'); os.get_terminal_size if sys.stdout.isatty() else None
@check
def crypto():
    import hashlib, hmac, secrets, ssl, uuid, zlib, bz2, lzma
    hashlib.scrypt(b'a', salt=b'b', n=2, r=1, p=1); secrets.token_hex(); ssl.create_default_context(); uuid.uuid4(); uuid.uuid1()
    ssl.get_default_verify_paths()
@check
def zones():
    import datetime, zoneinfo
    assert datetime.datetime(2024, 7, 1, tzinfo=zoneinfo.ZoneInfo('America/New_York')).utcoffset() == datetime.timedelta(hours=-4)
    assert 'Europe/Berlin' in zoneinfo.available_timezones()
@check
def locales():
    import locale
    assert locale.setlocale(locale.LC_ALL, '') == 'C.UTF-8'
    assert locale.getpreferredencoding().lower().replace('-', '') == 'utf8'
@check
def user():
    import getpass
    assert getpass.getuser() == 'function'
    assert os.path.expanduser('~') == os.environ['HOME'] and os.path.isdir(os.environ['HOME'])
@check
def types():
    import mimetypes
    assert mimetypes.guess_type('a.json')[0] == 'application/json'
@check
def names():
    import socket
    assert socket.gethostname()
";

const PYTHON_IN_NAMESPACES: &str = "
import multiprocessing
def double(x):
    return 2 * x
def bump(lock, value, name):
    from multiprocessing import shared_memory
    with lock: value.value += 1
    memory = shared_memory.SharedMemory(name); memory.buf[0] += 1; memory.close()
@check
def local_servers():
    import http.server, threading, urllib.request, socket
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200); self.end_headers(); self.wfile.write(b'hi')
        def log_message(self, *a): pass
    server = http.server.ThreadingHTTPServer(('localhost', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    assert urllib.request.urlopen('http://localhost:%d' % server.server_port, timeout=5).read() == b'hi'
    server.shutdown()
    udp = socket.socket(type=socket.SOCK_DGRAM); udp.bind(('localhost', 0)); udp.sendto(b'x', udp.getsockname()); assert udp.recv(1) == b'x'
    unix = socket.socket(socket.AF_UNIX); unix.bind(TMP + '/s'); unix.listen()
@check
def people():
    import grp, pwd
    me = pwd.getpwuid(os.getuid())
    assert (me.pw_name, me.pw_dir, me.pw_shell) == ('function', '/tmp', '/bin/sh') and grp.getgrgid(os.getgid()).gr_name == 'function'
    assert pwd.getpwnam('function').pw_uid == os.getuid() and len(pwd.getpwall()) == 1
@check
def hosts():
    import socket
    assert socket.gethostname() == 'function' and socket.getfqdn() == 'function', socket.getfqdn()
    assert socket.gethostbyname('localhost') == '127.0.0.1' and socket.getservbyname('https') == 443 and socket.getprotobyname('tcp') == 6
    try: socket.getaddrinfo('example.com', 80)
    except socket.gaierror: pass
    else: raise AssertionError
@check
def commands():
    import subprocess
    assert subprocess.run('echo $((1+1)) > out; read x < out; echo \"$x $HOME\"', shell=True, capture_output=True, text=True, check=True).stdout == '2 /tmp\\n'
    assert subprocess.check_output([sys.executable, '-c', 'print(1)'], stderr=subprocess.DEVNULL) == b'1\\n'
    assert os.system('exit 3') >> 8 == 3
    assert os.popen('echo a').read() == 'a\\n'
    import asyncio
    async def go():
        p = await asyncio.create_subprocess_shell('cat <<x\\nx\\necho b', stdout=-1, stderr=-3)
        return (await p.communicate())[0]
    assert b'b' in asyncio.run(go())
@check
def processes():
    from multiprocessing import shared_memory
    for way in ('fork', 'spawn', 'forkserver'):
        context = multiprocessing.get_context(way)
        with context.Pool(2) as pool: assert pool.map(double, range(5)) == [0, 2, 4, 6, 8], way
        memory = shared_memory.SharedMemory(create=True, size=10)
        lock, value = context.Lock(), context.Value('i', 0)
        started = [context.Process(target=bump, args=(lock, value, memory.name)) for _ in range(2)]
        for p in started: p.start()
        for p in started: p.join(); assert p.exitcode == 0, way
        assert value.value == 2 and memory.buf[0] in (1, 2)
        memory.close(); memory.unlink()
    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(2) as pool: assert list(pool.map(double, [4])) == [8]
@check
def locks_between_processes():
    import fcntl, sqlite3, time
    path = TMP + '/two.db'
    db = sqlite3.connect(path); db.execute('create table t (a)'); db.commit(); db.execute('begin immediate')
    pid = os.fork()
    if pid == 0:
        try:
            sqlite3.connect(path, timeout=0).execute('begin immediate')
            os._exit(1)
        except sqlite3.OperationalError:
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
@check
def modes():
    import shutil
    open(TMP + '/m', 'w').close(); os.chmod(TMP + '/m', 0o640); os.utime(TMP + '/m', (1, 1)); shutil.copy2(TMP + '/m', TMP + '/n')
    assert os.stat(TMP + '/n').st_mtime == 1
";

async fn fine(kit: &Kit, module: Module, source: &str) {
    let function = kit.save(module, source).await.memory(1024).timeout(60);
    let failed: Vec<String> = serde_json::from_str(&kit.ok(&function, "{}").await).unwrap();
    assert!(failed.is_empty(), "{}\n{}", kit.pool.describe(), failed.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_library_works() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        fine(&kit, Module::Python, &format!("{PYTHON}{PYTHON_EVERYWHERE}")).await;
        if sandbox == BUBBLEWRAP {
            fine(&kit, Module::Python, &format!("{PYTHON}{PYTHON_IN_NAMESPACES}")).await;
        }
    }
}

const NODE: &str = "
const assert = require('assert'), fs = require('fs'), os = require('os'), path = require('path');
const checks = {};
exports.handler = async () => {
  const failed = [];
  for (const [name, f] of Object.entries(checks)) {
    try { await f(); } catch (error) { failed.push(name + ': ' + error.stack); }
  }
  return failed;
};
";

const NODE_EVERYWHERE: &str = "
checks.threads = () => new Promise((done, fail) => {
  const { Worker } = require('worker_threads');
  const worker = new Worker('require(\"worker_threads\").parentPort.postMessage(new Int32Array(new SharedArrayBuffer(4)).length)', { eval: true });
  worker.on('message', (n) => done(assert.equal(n, 1))).on('error', fail);
});
checks.files = async () => {
  const d = fs.mkdtempSync(path.join(os.tmpdir(), 'a'));
  await fs.promises.writeFile(d + '/a', 'x'); fs.writeFileSync(d + '/b', fs.readFileSync(d + '/a')); fs.renameSync(d + '/b', d + '/c');
  fs.fsyncSync(fs.openSync(d + '/a')); fs.statfsSync(d); fs.readdirSync(d, { recursive: true });
  await require('stream/promises').pipeline(fs.createReadStream(d + '/a'), require('zlib').createGzip(), fs.createWriteStream(d + '/z'));
  fs.watchFile(d + '/a', () => {}); fs.unwatchFile(d + '/a'); fs.rmSync(d, { recursive: true });
};
checks.crypto = async () => {
  const crypto = require('crypto');
  await require('util').promisify(crypto.scrypt)('a', 'b', 32); await require('util').promisify(crypto.generateKeyPair)('ec', { namedCurve: 'P-256' });
  await globalThis.crypto.subtle.digest('SHA-256', Buffer.from('x')); crypto.randomUUID();
};
checks.wasm = async () => {
  const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 6, 1, 4, 0, 65, 42, 11]);
  assert.equal((await WebAssembly.instantiate(bytes)).instance.exports.f(), 42);
  new WebAssembly.Memory({ initial: 1, maximum: 10, shared: true }).grow(1);
};
checks.machine = () => {
  assert.equal(os.userInfo().username, 'function'); assert.equal(os.userInfo().homedir, os.tmpdir()); assert.equal(os.homedir(), os.tmpdir());
  assert(os.availableParallelism() > 0 && os.totalmem() > 0 && os.freemem() > 0 && os.uptime() > 0 && os.loadavg().length === 3);
  assert(os.hostname() && os.release() && os.version()); os.cpus(); os.setPriority(1); os.getPriority(); process.memoryUsage(); process.resourceUsage();
};
checks.named = async () => assert.equal((await import('node:os')).userInfo().username, 'function');
checks.zones = () => assert.equal(new Date(1720000000000).toLocaleString('en-US', { timeZone: 'America/New_York', hour: 'numeric' }), '5 AM');
checks.later = async () => {
  await require('timers/promises').setTimeout(2); await new Promise(setImmediate);
  const { AsyncLocalStorage } = require('async_hooks'); new AsyncLocalStorage().run(1, () => {});
  const { monitorEventLoopDelay, PerformanceObserver } = require('perf_hooks'); monitorEventLoopDelay().enable();
  process.hrtime.bigint(); structuredClone({ a: 1 }); new (require('vm').Script)('1').runInNewContext();
};
";

const NODE_IN_NAMESPACES: &str = "
checks.servers = async () => {
  const server = require('http').createServer((_, answer) => answer.end('hi'));
  await new Promise((done) => server.listen(0, 'localhost', done));
  const answer = await fetch('http://localhost:' + server.address().port);
  assert.equal(await answer.text(), 'hi');
  server.closeAllConnections(); server.close();
  const pipe = require('net').createServer(); await new Promise((done) => pipe.listen(os.tmpdir() + '/s', done)); pipe.close();
  const udp = require('dgram').createSocket('udp4'); await new Promise((done) => udp.bind(0, 'localhost', done)); udp.close();
};
checks.names = async () => {
  assert.equal((await require('dns/promises').lookup('localhost')).address, '127.0.0.1');
  await assert.rejects(require('dns/promises').lookup('example.com'));
  assert.equal(os.hostname(), 'function'); assert.equal(os.userInfo().shell, '/bin/sh');
};
checks.commands = async () => {
  const child = require('child_process');
  assert.equal(child.execSync('echo $((1+1)); exit 0').toString(), '2\\n');
  assert.equal(child.execFileSync(process.execPath, ['-p', '1+1']).toString(), '2\\n');
  const { stdout } = await require('util').promisify(child.exec)('echo $HOME'); assert.equal(stdout, '/tmp\\n');
};
checks.cluster = () => new Promise((done, fail) => {
  const worker = require('child_process').fork(__filename, ['child'], { stdio: 'ignore' });
  worker.on('exit', (code) => (code === 0 ? done() : fail(new Error('exit ' + code))));
});
checks.modes = () => { fs.writeFileSync(os.tmpdir() + '/c', ''); fs.copyFileSync(os.tmpdir() + '/c', os.tmpdir() + '/d'); fs.cpSync(os.tmpdir() + '/c', os.tmpdir() + '/e'); fs.writeFileSync(os.tmpdir() + '/m', ''); fs.chmodSync(os.tmpdir() + '/m', 0o640); fs.utimesSync(os.tmpdir() + '/m', 1, 1); };
";

#[tokio::test(flavor = "multi_thread")]
async fn nodes_library_works() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        fine(&kit, Module::CommonJs, &format!("{NODE}{NODE_EVERYWHERE}")).await;
        if sandbox == BUBBLEWRAP {
            fine(&kit, Module::CommonJs, &format!("{NODE}{NODE_IN_NAMESPACES}")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_etc_tells_nothing_of_the_host() {
    let kit = Kit::new(BUBBLEWRAP).await;
    let source = "import os\ndef handler(e):\n    return {n: open('/etc/' + n, 'rb').read().decode('latin-1') for n in os.listdir('/etc')}";
    let found: std::collections::BTreeMap<String, String> =
        serde_json::from_str(&kit.ok(&kit.python(source).await, "{}").await).unwrap();
    let names: Vec<_> = found.keys().map(String::as_str).collect();
    let expected =
        ["group", "host.conf", "hosts", "ld.so.cache", "nsswitch.conf", "passwd", "protocols", "services"];
    assert_eq!(names, expected);
    assert_eq!(found["passwd"].lines().count(), 1);
    assert!(!found["passwd"].contains("root"));
    let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    assert!(name.trim().is_empty() || !found["hosts"].contains(name.trim()));
}
