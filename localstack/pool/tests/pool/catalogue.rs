//! Hostile functions, in both languages, under every sandbox; and after each of them, whether the host still holds what
//! it held. docs/SECURITY.md has the same list, and this fails where the two differ.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use domain::function::Module;
use ports::Runtime;
use sandbox::{SandboxChoice, SandboxKind};
use serde_json::{Value, json};

use crate::ipc::Ipc;
use crate::kit::{Kit, Saved, paths, until};

/// One way to try.
struct Attack {
    /// What it is after.
    name: &'static str,
    /// It, as a Python function and as one for Node.
    sources: [&'static str; 2],
    /// What holds against it, by sandbox.
    holds: [&'static str; 2],
    /// How the run may end, by the words of its error. Where there are none it must return an empty list: of all that
    /// it tried, nothing worked.
    ends: &'static [&'static str],
}

macro_rules! attack {
    ($name:literal, $file:literal, $bubblewrap:literal, $landlock:literal, $ends:expr) => {
        Attack {
            name: $name,
            sources: [
                concat!(include_str!("attacks/prelude.py"), include_str!(concat!("attacks/", $file, ".py"))),
                concat!(include_str!("attacks/prelude.js"), include_str!(concat!("attacks/", $file, ".js"))),
            ],
            holds: [$bubblewrap, $landlock],
            ends: $ends,
        }
    };
}

const TIMED_OUT: &str = "timed out";
const STOPPED: &str = "The function was stopped";
const MEMORY: &str = "memory";

const CATALOGUE: &[Attack] = &[
    attack!("Files: read, list, change, link, go round", "files", "not there; Landlock", "Landlock", &[]),
    attack!("Modes, owners, times, attributes, leases", "attributes", "read-only mounts", "seccomp", &[]),
    attack!("The server's environment", "environment", "cleared; not there", "cleared; Landlock", &[]),
    attack!(
        "/proc: other processes, the kernel's settings",
        "proc",
        "PID namespace; Landlock",
        "Landlock",
        &[]
    ),
    attack!("Inherited descriptors", "descriptors", "closed", "closed", &[]),
    attack!("The host's network", "network", "network namespace", "seccomp", &[]),
    attack!(
        "Unix sockets, abstract ones too",
        "unix_sockets",
        "not there; network namespace",
        "seccomp",
        &[]
    ),
    attack!("Other socket families and protocols", "families", "seccomp", "seccomp", &[]),
    attack!("Signals and priorities of others", "signals", "PID namespace", "seccomp", &[]),
    attack!("ptrace, memory of others", "others_memory", "seccomp", "seccomp", &[]),
    attack!("Namespaces and mounts", "namespaces", "seccomp", "seccomp", &[]),
    attack!("The kernel: bpf, io_uring, keys, memfd, modules", "kernel", "seccomp", "seccomp", &[]),
    attack!("System V IPC and POSIX queues, by id and by name", "ipc", "seccomp", "seccomp", &[]),
    attack!(
        "Watching others: their files, locks, pages, clocks",
        "traces",
        "seccomp; Landlock",
        "seccomp; Landlock",
        &[]
    ),
    attack!("Devices and terminals", "devices", "not there; Landlock; seccomp", "Landlock; seccomp", &[]),
    attack!(
        "Set-user-id programs, capabilities, limits",
        "privileges",
        "none to be had",
        "none to be had",
        &[]
    ),
    attack!("Daemons that outlive their job", "daemons", "killed with the worker", "can't be started", &[]),
    attack!("Forged frames", "frames", "worker ended", "worker ended", &[STOPPED]),
    attack!(
        "Results that no JSON is, or too much of it",
        "results",
        "checked",
        "checked",
        &["nested", STOPPED]
    ),
    attack!(
        "Shadowed modules and prototypes",
        "shadows",
        "own run only",
        "own run only",
        &["Error", "ended", TIMED_OUT, STOPPED]
    ),
    attack!("Memory, shared memory too", "memory", "worker ended", "worker ended", &[MEMORY]),
    attack!(
        "Forks and threads",
        "forks",
        "64 of them; worker ended",
        "refused; worker ended",
        &[TIMED_OUT, STOPPED, MEMORY, "SIG", "ended", "Error"]
    ),
    attack!(
        "Disk: too much, too many, too deep, hidden",
        "disk",
        "64 MB; worker ended",
        "worker ended",
        &[TIMED_OUT, STOPPED, "ENOSPC", "EACCES", "Error"]
    ),
    attack!("Prints without end", "prints", "cut", "cut", &[]),
    attack!("Stopping itself, ignoring signals", "stopping", "timed out", "timed out", &[TIMED_OUT]),
    attack!("Crashes that leave a core", "crashes", "no core", "no core", &["SIGSEGV", "SIGABRT"]),
];

/// What the host has that nobody may touch.
struct Host {
    folder: tempfile::TempDir,
    mark: String,
    tcp: TcpListener,
    unix: UnixListener,
    hidden: UnixListener,
    victim: Child,
    library: std::time::SystemTime,
    ipc: Ipc,
}

impl Host {
    fn new(mark: String) -> Self {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        std::fs::write(folder.path().join("secret"), &mark).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        tcp.set_nonblocking(true).unwrap();
        let unix = UnixListener::bind(folder.path().join("socket")).unwrap();
        unix.set_nonblocking(true).unwrap();
        let hidden = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&mark).unwrap()).unwrap();
        hidden.set_nonblocking(true).unwrap();
        // Answers each line, for as long as it is well.
        let mut cat = Command::new("cat");
        let victim = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let ipc = Ipc::new(&mark);
        Self { folder, mark, tcp, unix, hidden, victim, library: library_time(), ipc }
    }

    fn event(&self, kind: SandboxKind) -> Value {
        let secret = self.folder.path().join("secret");
        json!({
            "sandbox": kind.name(), "mark": self.mark, "server": std::process::id(), "victim": self.victim.id(),
            "tcp": self.tcp.local_addr().unwrap().port(), "unix": self.folder.path().join("socket"), "abstract": self.mark,
            "ipc": self.ipc.ids(), "outside": outside(), "calls": calls(), "x32": cfg!(target_arch = "x86_64"),
            "paths": paths(kind).into_iter().map(PathBuf::from).chain([
                std::env::current_exe().unwrap(), self.folder.path().to_owned(), secret,
            ]).collect::<Vec<_>>(),
        })
    }

    fn is_unharmed(&mut self, after: &str) {
        let secret = self.folder.path().join("secret");
        assert_eq!(std::fs::read_to_string(&secret).unwrap(), self.mark, "{after}");
        let names: Vec<_> = std::fs::read_dir(self.folder.path()).unwrap().flatten().collect();
        assert_eq!(names.len(), 2, "{after}: {names:?}");
        assert!(self.tcp.accept().is_err(), "{after}: somebody came by TCP");
        assert!(self.unix.accept().is_err(), "{after}: somebody came by a Unix socket");
        assert!(self.hidden.accept().is_err(), "{after}: somebody came by an abstract socket");
        assert_eq!(library_time(), self.library, "{after}: the interpreter's file was changed");
        self.ipc.is_unharmed(after);
        // It would not answer if it were stopped or gone.
        let mut answer = [0; 2];
        self.victim.stdin.as_mut().unwrap().write_all(b"x\n").expect(after);
        self.victim.stdout.as_mut().unwrap().read_exact(&mut answer).expect(after);
        // SAFETY: no memory is touched.
        let priority = unsafe { libc::getpriority(libc::PRIO_PROCESS, self.victim.id()) };
        assert_eq!(priority, 0, "{after}: a stranger's priority was changed");
        assert!(!Path::new("/tmp/core").exists() && !Path::new("core").exists(), "{after}: a core was left");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have been ended by what is tested.
        let _ = self.victim.kill();
        let _ = self.victim.wait();
    }
}

/// When the file that workers run was last changed in any way.
fn library_time() -> std::time::SystemTime {
    std::fs::metadata(env!("CARGO_BIN_EXE_sandbox-init")).unwrap().modified().unwrap()
}

/// The names of this process's variables, but for those that a worker has too.
fn outside() -> Vec<String> {
    let own = ["PATH", "LANG", "TZ", "USER", "LOGNAME", "HOME", "TMPDIR", "PWD", "LC_CTYPE"];
    std::env::vars().map(|(name, _)| name).filter(|name| !own.contains(&name.as_str())).collect()
}

/// The numbers of system calls on this machine.
fn calls() -> Value {
    macro_rules! numbers {
        ($($name:ident: $number:ident),* $(,)?) => { [$((stringify!($name), libc::$number)),*] };
    }
    let numbers = numbers! {
        socket: SYS_socket, socketpair: SYS_socketpair, tkill: SYS_tkill, tgkill: SYS_tgkill,
        prctl: SYS_prctl, rt_sigqueueinfo: SYS_rt_sigqueueinfo, pidfd_open: SYS_pidfd_open,
        prlimit64: SYS_prlimit64, ioprio_set: SYS_ioprio_set, setpgid: SYS_setpgid,
        sched_setaffinity: SYS_sched_setaffinity, fcntl: SYS_fcntl, ptrace: SYS_ptrace,
        process_vm_readv: SYS_process_vm_readv, process_vm_writev: SYS_process_vm_writev, kcmp: SYS_kcmp,
        pidfd_getfd: SYS_pidfd_getfd, unshare: SYS_unshare, clone: SYS_clone, clone3: SYS_clone3,
        mount: SYS_mount, umount2: SYS_umount2, chroot: SYS_chroot, pivot_root: SYS_pivot_root,
        setns: SYS_setns, open_tree: SYS_open_tree, fsopen: SYS_fsopen, move_mount: SYS_move_mount,
        open_by_handle_at: SYS_open_by_handle_at, bpf: SYS_bpf, perf_event_open: SYS_perf_event_open,
        userfaultfd: SYS_userfaultfd, io_uring_setup: SYS_io_uring_setup, io_setup: SYS_io_setup,
        keyctl: SYS_keyctl, add_key: SYS_add_key, request_key: SYS_request_key,
        memfd_create: SYS_memfd_create, memfd_secret: SYS_memfd_secret, shmget: SYS_shmget,
        msgget: SYS_msgget, semget: SYS_semget, mq_open: SYS_mq_open, kexec_load: SYS_kexec_load,
        init_module: SYS_init_module, finit_module: SYS_finit_module, delete_module: SYS_delete_module,
        reboot: SYS_reboot, swapon: SYS_swapon, acct: SYS_acct, syslog: SYS_syslog,
        clock_settime: SYS_clock_settime, sethostname: SYS_sethostname, personality: SYS_personality,
        quotactl: SYS_quotactl, fanotify_init: SYS_fanotify_init, getpid: SYS_getpid, ioctl: SYS_ioctl,
        exit: SYS_exit, msgrcv: SYS_msgrcv, msgsnd: SYS_msgsnd, msgctl: SYS_msgctl, semctl: SYS_semctl,
        semop: SYS_semop, semtimedop: SYS_semtimedop, shmat: SYS_shmat, shmctl: SYS_shmctl, shmdt: SYS_shmdt,
        mq_unlink: SYS_mq_unlink, mq_timedsend: SYS_mq_timedsend, mq_timedreceive: SYS_mq_timedreceive,
        mq_notify: SYS_mq_notify, mq_getsetattr: SYS_mq_getsetattr, inotify_init1: SYS_inotify_init1,
        inotify_add_watch: SYS_inotify_add_watch, fanotify_mark: SYS_fanotify_mark, mincore: SYS_mincore,
        preadv2: SYS_preadv2, readahead: SYS_readahead, fadvise64: SYS_fadvise64,
        process_madvise: SYS_process_madvise, clock_gettime: SYS_clock_gettime, clock_getres: SYS_clock_getres,
        clock_nanosleep: SYS_clock_nanosleep, timer_create: SYS_timer_create, getpgid: SYS_getpgid,
        getsid: SYS_getsid, getpriority: SYS_getpriority, sched_getaffinity: SYS_sched_getaffinity,
        sched_getscheduler: SYS_sched_getscheduler, sched_getparam: SYS_sched_getparam,
        sched_rr_get_interval: SYS_sched_rr_get_interval, ioprio_get: SYS_ioprio_get,
        sched_getattr: SYS_sched_getattr, get_robust_list: SYS_get_robust_list,
    };
    // libc does not know its number; every processor has the same.
    let numbers = numbers.into_iter().chain([("cachestat", 451)]);
    numbers.map(|(name, number)| (name.to_owned(), number.into())).collect::<serde_json::Map<_, _>>().into()
}

/// How many processes of this machine have the mark on their command line.
fn marked(mark: &str) -> usize {
    let has_mark = |entry: &std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.windows(mark.len()).any(|part| part == mark.as_bytes())
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter(has_mark).count()
}

async fn try_out(kit: &Kit, host: &mut Host, attack: &Attack, neighbour: &Saved, kind: SandboxKind) {
    for (module, source) in [Module::Python, Module::CommonJs].into_iter().zip(attack.sources) {
        let after = format!("{} ({module:?}, {})", attack.name, kind.name());
        let function = kit.save(module, source).await.timeout(if attack.ends.is_empty() { 30 } else { 4 });
        let outcome = kit.run(&function, &host.event(kind).to_string()).await;
        match &outcome.result {
            Err(error) => assert!(attack.ends.iter().any(|end| error.contains(end)), "{after}: {error}"),
            Ok(got) => assert!(got == "[]", "{after} got: {got}"),
        }
        // While the worker is idle, if it still is.
        host.is_unharmed(&after);
        until(&format!("nothing goes on after {after}"), || marked(&host.mark) == 0).await;
        kit.pool.remove(function.version.function_id).await.unwrap();
        assert_eq!(kit.ok(neighbour, "{}").await, r#""well""#, "after {after}");
        until(&format!("the worker is gone after {after}"), || kit.pool.workers() <= 3).await;
    }
}

/// With what the kernel may count (`true`), and without.
async fn hold_against_all(kind: SandboxKind, control_groups: bool) {
    let mark = format!("frtest-{}-{}-{control_groups}", std::process::id(), kind.name());
    let kit = Kit::with(SandboxChoice::Only(kind), |config| config.control_groups = control_groups).await;
    let neighbour = kit.python("def handler(e):\n    return 'well'").await;
    assert_eq!(kit.ok(&neighbour, "{}").await, r#""well""#);
    let mut host = Host::new(mark);
    for attack in CATALOGUE {
        try_out(&kit, &mut host, attack, &neighbour, kind).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_holds_what_it_held_whatever_is_tried() {
    for kind in SandboxKind::ALL {
        hold_against_all(kind, true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn and_does_so_where_there_are_no_control_groups() {
    for kind in SandboxKind::ALL {
        hold_against_all(kind, false).await;
    }
}

#[test]
fn the_list_for_people_is_this_one() {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/SECURITY.md");
    let text = std::fs::read_to_string(document).unwrap();
    let line = |attack: &Attack| format!("| {} | {} | {} |", attack.name, attack.holds[0], attack.holds[1]);
    let wanted: Vec<String> = CATALOGUE.iter().map(line).collect();
    let begin = "| what is tried | bubblewrap | Landlock and seccomp |";
    let found: Vec<&str> = text
        .lines()
        .skip_while(|line| *line != begin)
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert_eq!(found, wanted, "the table in {document} should be:\n{}", wanted.join("\n"));
}
