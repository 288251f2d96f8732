//! Attempts to get at the machine, or at others, from inside.

use std::io::Write;
use std::os::unix::net::UnixListener;

use sandbox::{SandboxChoice, SandboxKind};

use crate::kit::{BOTH, Kit, paths, until};

#[tokio::test(flavor = "multi_thread")]
async fn no_file_of_the_host_can_be_read_or_changed() {
    let mut secret = tempfile::NamedTempFile::new_in("/var/tmp").unwrap();
    secret.write_all(b"secret").unwrap();
    let secret = secret.path().display().to_string();
    let own = std::env::current_exe().unwrap().display().to_string();
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        let function = kit
            .python(
                "import os\ndef handler(paths):\n    got = []\n    for path in paths:\n        for attempt in (lambda: open(path, 'rb').read(1), lambda: open(path, 'ab'), lambda: os.listdir(path), lambda: os.unlink(path),\n\
                 \x20               lambda: os.chmod(path, 0o777), lambda: os.rename(path, path + 'x'), lambda: os.symlink(path, path + 'y'), lambda: os.utime(path if path[:6] != '/proc/' else ''),\n\
                 \x20               lambda: os.truncate(path, 0), lambda: os.mkdir(path + '/z'), lambda: os.link(path, os.environ['TMPDIR'] + '/l'), lambda: os.setxattr(path, 'user.a', b'')):\n\
                 \x20           try:\n                attempt()\n            except OSError:\n                continue\n            got.append(path + ' ' + ' '.join(attempt.__code__.co_names))\n    return got",
            )
            .await;
        let SandboxChoice::Only(kind) = sandbox else { unreachable!("both are named") };
        let mut paths = paths(kind);
        paths.extend([
            "/root",
            "/root/.ssh",
            "/home",
            "/var/log",
            "/var/tmp",
            "/sys",
            "/sys/kernel",
            "/proc/1/environ",
            "/proc/1/cmdline",
            "/proc/1/root",
            "/proc/1/fd",
            "/proc/1/maps",
            "/proc/kallsyms",
            "/proc/kmsg",
            "/proc/sys/kernel/core_pattern",
            "/dev/mem",
            "/dev/kmsg",
            "/dev/vda",
            "/work",
            &secret,
            &own,
        ]);
        let event = serde_json::to_string(&paths).unwrap();
        assert_eq!(kit.ok(&function, &event).await, "[]", "{sandbox:?}");

        // By way of the library that it may read.
        let library = kit
            .python(
                "import os, sys\ndef handler(e):\n    lib = os.path.dirname(os.__file__)\n    got = []\n    for attempt in (lambda: open(lib + '/os.py', 'a'), lambda: open(lib + '/new.py', 'w'), lambda: os.unlink(lib + '/os.py'),\n\
                 \x20           lambda: os.chmod(lib + '/os.py', 0o777), lambda: os.fchmod(os.open(lib + '/os.py', os.O_RDONLY), 0o777), lambda: os.utime(lib + '/os.py'),\n\
                 \x20           lambda: open(lib + '/../../../../../../../../etc/hostname'), lambda: open(sys.executable, 'a'),\n\
                 \x20           lambda: open('/function/shim.py', 'a'), lambda: open('/new', 'w'), lambda: open('/dev/new', 'w'), lambda: [open(lib + '/site-packages/' + n) for n in ('README.txt',)]):\n\
                 \x20       try:\n            attempt()\n        except OSError as error:\n            continue\n        got.append(attempt.__code__.co_firstlineno)\n    return got",
            )
            .await;
        let _ = library;
        let text = kit.ok(&library, "{}").await;
        assert!(text == "[]", "{sandbox:?} {text}");
    }
    assert_eq!(std::fs::read(&secret).unwrap(), b"secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_address_of_the_host_can_be_reached() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let socket = folder.path().join("socket");
    let _unix = UnixListener::bind(&socket).unwrap();
    let abstract_name = format!("fr-test-{}", std::process::id());
    let address = <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(
        &abstract_name,
    );
    let _abstract = UnixListener::bind_addr(&address.unwrap()).unwrap();
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        let function = kit
            .python(
                "import socket\ndef handler(e):\n    got = []\n    def tcp(host, port, family=socket.AF_INET):\n        s = socket.socket(family); s.settimeout(2); s.connect((host, port))\n    def unix(name, kind=socket.SOCK_STREAM):\n        s = socket.socket(socket.AF_UNIX, kind); s.connect(name)\n\
                 \x20   def dgram_pair(name):\n        a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); a.sendto(b'x', name)\n    def stream_pair(name):\n        a, b = socket.socketpair(); a.connect(name)\n\
                 \x20   attempts = {'tcp': lambda: tcp('127.0.0.1', e['tcp']), 'tcp6': lambda: tcp('::1', e['tcp'], socket.AF_INET6), 'metadata': lambda: tcp('169.254.169.254', 80), 'internet': lambda: tcp('1.1.1.1', 53),\n\
                 \x20       'unix': lambda: unix(e['unix']), 'abstract': lambda: unix('\\0' + e['abstract']), 'journal': lambda: unix('/run/systemd/journal/socket', socket.SOCK_DGRAM),\n\
                 \x20       'dgram': lambda: dgram_pair('\\0' + e['abstract']), 'stream': lambda: stream_pair('\\0' + e['abstract']), 'raw': lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),\n\
                 \x20       'packet': lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW), 'netlink': lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW), 'vsock': lambda: socket.socket(40, socket.SOCK_STREAM), 'dns': lambda: socket.getaddrinfo('example.com', 80)}\n\
                 \x20   for name, attempt in attempts.items():\n        try:\n            attempt()\n        except OSError:\n            continue\n        got.append(name)\n    return got",
            )
            .await;
        let event = serde_json::json!({ "tcp": listener.local_addr().unwrap().port(), "unix": socket, "abstract": abstract_name });
        assert_eq!(kit.ok(&function, &event.to_string()).await, "[]", "{sandbox:?}");

        let node = kit
            .node(
                "const net = require('net'); exports.handler = async (e) => { const got = []; \
                 const attempt = (name, to) => new Promise((r) => { let s; try { s = net.connect(to) } catch { return r() } s.on('connect', () => { got.push(name); r() }); s.on('error', r) }); \
                 await attempt('tcp', { port: e.tcp, host: '127.0.0.1' }); await attempt('unix', { path: e.unix }); await attempt('abstract', { path: '\\0' + e.abstract }); return got }",
            )
            .await;
        assert_eq!(kit.ok(&node, &event.to_string()).await, "[]", "{sandbox:?}");
    }
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody came");
    udp.set_nonblocking(true).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn system_calls_that_reach_further_are_refused() {
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        let function = kit
            .python(
                "import ctypes, errno, os\nlibc = ctypes.CDLL(None, use_errno=True)\ndef handler(calls):\n    got = []\n    for name, number, *args in calls:\n        ctypes.set_errno(0)\n\
                 \x20       result = libc.syscall(ctypes.c_long(number), *[ctypes.c_char_p(a.encode()) if isinstance(a, str) else ctypes.c_long(a) for a in args])\n\
                 \x20       if result != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS, errno.EACCES): got.append([name, result, ctypes.get_errno()])\n    return got",
            )
            .await;
        let parent = i64::from(std::process::id());
        let calls = serde_json::json!([
            ["ptrace", libc::SYS_ptrace, 16, 1, 0, 0],
            ["process_vm_readv", libc::SYS_process_vm_readv, 1, 0, 0, 0, 0, 0],
            ["mount", libc::SYS_mount, "tmpfs", "/tmp", "tmpfs", 0, 0],
            ["umount", libc::SYS_umount2, "/tmp", 2],
            ["unshare", libc::SYS_unshare, libc::CLONE_NEWUSER],
            ["setns", libc::SYS_setns, 3, 0],
            ["clone newuser", libc::SYS_clone, libc::CLONE_NEWUSER | libc::SIGCHLD, 0, 0, 0, 0],
            ["clone3", libc::SYS_clone3, 0, 0],
            ["chroot", libc::SYS_chroot, "/tmp"],
            ["bpf", libc::SYS_bpf, 0, 0, 0],
            ["perf", libc::SYS_perf_event_open, 0, 0, -1, -1, 0],
            ["userfaultfd", libc::SYS_userfaultfd, 0],
            ["io_uring", libc::SYS_io_uring_setup, 8, 0],
            ["keyctl", libc::SYS_keyctl, 0, 0, 0, 0, 0],
            ["memfd", libc::SYS_memfd_create, "x", 0],
            ["shmget", libc::SYS_shmget, 0, 4096, 0o1600],
            ["x32 getpid", 0x4000_0000 + libc::SYS_getpid],
            ["x32 ptrace", 0x4000_0000 + 521, 0, 0, 0, 0],
            ["tiocsti", libc::SYS_ioctl, 0, 0x5412, "x"],
            ["kexec", libc::SYS_kexec_load, 0, 0, 0, 0],
            ["module", libc::SYS_init_module, 0, 0, ""],
            ["reboot", libc::SYS_reboot, 0xfee1_dead_u32, 672_274_793, 0, 0],
            ["open_by_handle", libc::SYS_open_by_handle_at, -100, "xxxxxxxxxxxx", 0],
            ["mknod", libc::SYS_mknodat, -100, "/tmp/dev", libc::S_IFBLK | 0o600, 0xfe00],
        ]);
        assert_eq!(kit.ok(&function, &calls.to_string()).await, "[]", "{sandbox:?}");

        if sandbox == SandboxChoice::Only(SandboxKind::Bubblewrap) {
            let calls = serde_json::json!([["setgroups", libc::SYS_setgroups, 0, 0]]);
            assert_eq!(kit.ok(&function, &calls.to_string()).await, "[]", "{sandbox:?}");
        }
        if sandbox == SandboxChoice::Only(SandboxKind::Landlock) {
            let calls = serde_json::json!([
                ["kill", libc::SYS_kill, parent, 0],
                ["kill all", libc::SYS_kill, -1, 0],
                ["kill group", libc::SYS_kill, 0, 0],
                ["tkill", libc::SYS_tkill, parent, 0],
                ["tgkill", libc::SYS_tgkill, parent, parent, 0],
                ["sigqueue", libc::SYS_rt_sigqueueinfo, parent, 0, 0],
                ["pidfd", libc::SYS_pidfd_open, parent, 0],
                ["prlimit", libc::SYS_prlimit64, parent, 7, 0, 0],
                ["setpriority", libc::SYS_setpriority, 0, parent, 19],
                ["fork", libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0],
                ["setown", libc::SYS_fcntl, 3, 8, parent],
                ["sendto", libc::SYS_sendto, 3, "x", 1, 0, "x", 2],
                ["inotify", libc::SYS_inotify_add_watch, 0, "/etc", 1],
            ]);
            assert_eq!(kit.ok(&function, &calls.to_string()).await, "[]", "{sandbox:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_inherited_but_the_five_descriptors() {
    // One that a careless program would pass on.
    let leak = std::fs::File::open("/etc/hostname").unwrap();
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        let function = kit
            .python(
                "import os, stat\ndef handler(e):\n    open_ones = []\n    for fd in range(256):\n        try: open_ones.append([fd, stat.S_IFMT(os.fstat(fd).st_mode)])\n        except OSError: pass\n    return open_ones",
            )
            .await;
        let text = kit.ok(&function, "{}").await;
        let (device, pipe) = (libc::S_IFCHR, libc::S_IFIFO);
        let expected = format!("[[0,{device}],[1,{pipe}],[2,{pipe}],[3,{pipe}],[4,{pipe}]]");
        assert_eq!(text, expected, "{sandbox:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_do_not_see_each_other() {
    let kit = Kit::new(SandboxChoice::Only(SandboxKind::Bubblewrap)).await;
    let function = kit.python("import os\ndef handler(e):\n    seen = []\n    for pid in range(1, 70000):\n        try:\n            os.kill(pid, 0)\n            seen.append(pid)\n        except ProcessLookupError: pass\n        except PermissionError: seen.append(pid)\n    open('/tmp/mine', 'w').write('x')\n    return len(seen) <= 3").await;
    let other = kit.python("import os\ndef handler(e):\n    return os.listdir('/tmp')").await;
    assert_eq!(kit.ok(&function, "{}").await, "true");
    assert_eq!(kit.ok(&other, "{}").await, "[]");

    let kit = Kit::new(SandboxChoice::Only(SandboxKind::Landlock)).await;
    let writer = kit.python("import os\ndef handler(e):\n    open(os.environ['TMPDIR'] + '/mine', 'w').write('x')\n    return os.environ['TMPDIR']").await;
    let reader = kit.python("import os\ndef handler(path):\n    for attempt in (os.listdir, lambda p: open(p + '/mine').read(), lambda p: open(p + '/new', 'w')):\n        try: attempt(path)\n        except PermissionError: continue\n        return 'reached'\n    return 'refused'").await;
    let path = kit.ok(&writer, "{}").await;
    assert_eq!(kit.ok(&reader, &path).await, r#""refused""#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_dies_with_all_it_started() {
    let kit = Kit::new(SandboxChoice::Only(SandboxKind::Bubblewrap)).await;
    // Its command line is its mark; nothing else on this machine says this.
    let mark = format!("mark-{}", std::process::id());
    let function = kit
        .python("import os, subprocess, sys, time\ndef handler(mark):\n    for _ in range(3):\n        if os.fork() == 0:\n            os.setsid()\n            os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(1000)', mark])\n    time.sleep(1000)")
        .await
        .timeout(1);
    let started = || {
        std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter(|entry| {
                let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                line.windows(mark.len()).any(|part| part == mark.as_bytes())
            })
            .count()
    };
    let event = format!("\"{mark}\"");
    let (error, ()) = tokio::join!(kit.error(&function, &event), until("they run", || started() == 3));
    assert!(error.contains("timed out"), "{error}");
    until("they are gone", || started() == 0).await;
}
