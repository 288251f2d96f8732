//! The second stage: this program again, inside the namespaces (or without any), just before the interpreter. It takes
//! from itself whatever user code must not have, and becomes the interpreter.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use files::failed_at;
use runtime::protocol;
use serde::{Deserialize, Serialize};

/// How much is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Confinement {
    /// Namespaces around, made by bubblewrap; Landlock (where the kernel has it) and seccomp besides.
    Namespaces,
    /// Landlock and seccomp alone.
    Landlock,
    /// Nothing but limits on resources.
    Nothing,
}

/// What the second stage is told, as JSON in its only argument.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) confinement: Confinement,
    /// What to become.
    pub(super) program: PathBuf,
    /// Its arguments, its own name not among them.
    pub(super) arguments: Vec<String>,
    /// All of its environment.
    pub(super) environment: Vec<(String, String)>,
    /// Where it works.
    pub(super) directory: PathBuf,
    /// Where it may write.
    pub(super) writable: Vec<PathBuf>,
    /// What it may read.
    pub(super) readable: Vec<PathBuf>,
    /// Folders that it may list, whether or not it may read what is in them.
    pub(super) listable: Vec<PathBuf>,
    /// The user to become, if it isn't to stay who it is.
    pub(super) uid: Option<u32>,
    /// The most processes and threads of that user in that namespace, if the kernel counts them so.
    pub(super) processes: Option<u64>,
    /// Only look whether all of this works, and exit.
    pub(super) rehearsal: bool,
}

/// What the process is for, when it is none of the server's: `function-runner sandbox-init PLAN`. Ends by becoming the
/// interpreter; or says on stderr what was in the way, and exits with [`NOT_STARTED`](super::NOT_STARTED).
pub fn init_main(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> ! {
    let plan = arguments.next().and_then(|text| serde_json::from_slice::<Plan>(text.as_bytes()).ok());
    let error = match plan {
        Some(plan) => enter(&plan),
        None => "sandbox-init is started by the server, with a plan".to_owned(),
    };
    // SAFETY: the text is valid for its length. stderr's lock and buffer are std's; here one plain write will do.
    unsafe {
        libc::write(2, error.as_ptr().cast(), error.len());
        libc::_exit(super::NOT_STARTED)
    }
}

fn enter(plan: &Plan) -> String {
    let Err(error) = confine(plan) else {
        return if plan.rehearsal { rehearse(plan) } else { become_program(plan) };
    };
    error
}

fn become_program(plan: &Plan) -> String {
    let c_string = |text: &OsStr| CString::new(text.as_bytes()).unwrap_or_default();
    let program = c_string(plan.program.as_os_str());
    let arguments: Vec<_> = std::iter::once(program.clone())
        .chain(plan.arguments.iter().map(|text| c_string(text.as_ref())))
        .collect();
    let environment: Vec<_> =
        plan.environment.iter().map(|(name, value)| c_string(format!("{name}={value}").as_ref())).collect();
    let pointers = |strings: &[CString]| {
        strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>()
    };
    // SAFETY: both lists end with null and outlive the call.
    unsafe {
        libc::execve(program.as_ptr(), pointers(&arguments).as_ptr(), pointers(&environment).as_ptr());
    }
    failed("starting the interpreter")
}

/// Exits with 0 if what must not work does not.
fn rehearse(plan: &Plan) -> String {
    if plan.confinement != Confinement::Nothing {
        for path in ["/etc/shadow", "/etc/passwd", "/etc/hostname", "/proc/1/environ", "/proc/1/maps"] {
            let is_ours = path == "/etc/passwd" && plan.confinement == Confinement::Namespaces;
            if !is_ours && std::fs::read(path).is_ok_and(|bytes| !bytes.is_empty()) {
                return format!("{path} can still be read");
            }
        }
        if std::net::TcpStream::connect(("127.0.0.1", 9))
            .is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused)
            && plan.confinement == Confinement::Landlock
        {
            return "the network can still be reached".to_owned();
        }
    }
    let probe = plan.directory.join("probe");
    if let Err(error) = std::fs::write(&probe, b"x").and_then(|()| std::fs::remove_file(&probe)) {
        return failed_at(&probe, &error);
    }
    // SAFETY: nothing is left to clean up.
    unsafe { libc::_exit(0) }
}

/// What failed, with the reason of the system call just made.
fn failed(what: &str) -> String {
    format!("{what}: {}", io::Error::last_os_error())
}

fn check(what: &str, result: libc::c_int) -> Result<(), String> {
    if result < 0 { Err(failed(what)) } else { Ok(()) }
}

fn confine(plan: &Plan) -> Result<(), String> {
    arrange_descriptors()?;
    // SAFETY: plain system calls without pointers.
    unsafe {
        // Already so under bubblewrap, where it fails.
        libc::setsid();
        libc::umask(0o077);
        // A file that grows too large is an error that the code sees, not a silent death.
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
    std::env::set_current_dir(&plan.directory).map_err(|error| failed_at(&plan.directory, &error))?;
    limit(plan)?;
    #[cfg(target_os = "linux")]
    linux::confine(plan)?;
    Ok(())
}

/// The worker's pipes come as stdin and stdout, which bubblewrap and everything else passes on: moves them to where the
/// shim looks. What is printed goes to stderr.
fn arrange_descriptors() -> Result<(), String> {
    // SAFETY: system calls on descriptors that nothing else in this process uses.
    unsafe {
        check("moving a pipe", libc::dup2(1, protocol::ANSWERS_FD))?;
        check("moving a pipe", libc::dup2(0, protocol::REQUESTS_FD))?;
        check("giving stdout", libc::dup2(2, 1))?;
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY);
        check("opening /dev/null", null)?;
        check("giving stdin", libc::dup2(null, 0))?;
        #[cfg(target_os = "linux")]
        check("closing descriptors", libc::close_range(5, u32::MAX, 0))?;
        #[cfg(not(target_os = "linux"))]
        for descriptor in 5..256 {
            libc::close(descriptor);
        }
    }
    Ok(())
}

/// Limits that hold for every process of a worker. Memory comes later, when the function is known.
fn limit(plan: &Plan) -> Result<(), String> {
    const MIB: u64 = 1024 * 1024;
    let mut limits = vec![
        // None at all: with 0, a program that core_pattern names would still be started, outside, as root.
        (libc::RLIMIT_CORE, 1),
        (libc::RLIMIT_FSIZE, super::DISK),
        (libc::RLIMIT_NOFILE, 512),
        (libc::RLIMIT_MEMLOCK, 64 * 1024),
        (libc::RLIMIT_STACK, 8 * MIB),
    ];
    #[cfg(target_os = "linux")]
    limits.extend([(libc::RLIMIT_MSGQUEUE, 0), (libc::RLIMIT_RTPRIO, 0), (libc::RLIMIT_SIGPENDING, 1024)]);
    if let Some(processes) = plan.processes {
        limits.push((libc::RLIMIT_NPROC, processes));
    }
    for (resource, wanted) in limits {
        // SAFETY: the struct is valid and read or written only during the calls.
        unsafe {
            let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            check("getrlimit", libc::getrlimit(resource, &raw mut now))?;
            let most = wanted.min(now.rlim_max);
            let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
            check("setrlimit", libc::setrlimit(resource, &raw const limit))?;
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
mod linux {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
        RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
    };

    use super::{Confinement, Plan, check};
    use crate::seccomp;

    pub(super) fn confine(plan: &Plan) -> Result<(), String> {
        // The first to go when the machine runs out of memory. Where it can't be said, the kernel guesses.
        let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
        let prctl = |what, option: i32, value: u64| {
            // SAFETY: options that take a number.
            check(what, unsafe { libc::prctl(option, value, 0, 0, 0) })
        };
        // What a worker's children leave behind comes to the worker, where it is seen.
        prctl("PR_SET_CHILD_SUBREAPER", libc::PR_SET_CHILD_SUBREAPER, 1)?;
        let rules = (plan.confinement != Confinement::Nothing).then(|| landlock_rules(plan)).transpose()?;
        if plan.confinement != Confinement::Nothing {
            drop_privileges(plan)?;
        }
        // After the change of user, which clears it.
        // SAFETY: no pointers.
        let parent = unsafe { libc::getppid() };
        prctl("PR_SET_PDEATHSIG", libc::PR_SET_PDEATHSIG, bits(libc::SIGKILL))?;
        // SAFETY: no pointers.
        if unsafe { libc::getppid() } != parent {
            return Err("the server is gone".to_owned());
        }
        prctl("PR_SET_NO_NEW_PRIVS", libc::PR_SET_NO_NEW_PRIVS, 1)?;
        if let Some(rules) = rules {
            let status = rules.restrict_self().map_err(|error| format!("Landlock: {error}"))?;
            if status.ruleset == RulesetStatus::NotEnforced && plan.confinement == Confinement::Landlock {
                return Err("this kernel has no Landlock (Linux 5.13), or it is switched off".to_owned());
            }
            let isolated = plan.confinement == Confinement::Namespaces;
            let filters =
                seccomp::filters(isolated, std::process::id()).map_err(|e| format!("seccomp: {e}"))?;
            for filter in filters {
                seccompiler::apply_filter(&filter).map_err(|error| format!("seccomp: {error}"))?;
            }
        }
        Ok(())
    }

    fn bits(value: i32) -> u64 {
        u64::from(value.cast_unsigned())
    }

    /// Everything that this version of Landlock can refuse is refused but for what the plan lists. Older kernels refuse
    /// less; what they must refuse, seccomp does too.
    fn landlock_rules(plan: &Plan) -> Result<RulesetCreated, String> {
        let abi = ABI::V6;
        let says = |error: landlock::RulesetError| format!("Landlock: {error}");
        let mut ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(abi))
            .map_err(says)?
            .scope(Scope::from_all(abi))
            .map_err(says)?;
        if plan.confinement == Confinement::Landlock {
            ruleset = ruleset.handle_access(AccessNet::from_all(abi)).map_err(says)?;
        }
        let mut rules = ruleset.create().map_err(says)?;
        let mut allow = |path: &std::path::Path, mut access: BitFlags<AccessFs>| -> Result<(), String> {
            // What isn't there can't be read either.
            let (Ok(descriptor), Ok(metadata)) = (PathFd::new(path), std::fs::metadata(path)) else {
                return Ok(());
            };
            if !metadata.is_dir() {
                access &= AccessFs::from_file(abi);
            }
            (&mut rules).add_rule(PathBeneath::new(descriptor, access)).map_err(says)?;
            Ok(())
        };
        let read = AccessFs::from_read(abi);
        for path in &plan.readable {
            allow(path, read)?;
        }
        for path in &plan.listable {
            allow(path, AccessFs::ReadDir.into())?;
        }
        allow(&plan.program, read)?;
        let special = AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev | AccessFs::Execute;
        for path in &plan.writable {
            allow(path, AccessFs::from_all(abi) & !special)?;
        }
        allow("/dev/null".as_ref(), AccessFs::ReadFile | AccessFs::WriteFile)?;
        for device in ["/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"] {
            allow(device.as_ref(), AccessFs::ReadFile.into())?;
        }
        if plan.confinement == Confinement::Landlock {
            // What it uses itself, which libraries ask for. Not the rest of what is there: mounts, groups, arguments.
            for name in ["stat", "statm", "status"] {
                let path = format!("/proc/{}/{name}", std::process::id());
                allow(path.as_ref(), AccessFs::ReadFile.into())?;
            }
        }
        if plan.confinement == Confinement::Namespaces {
            // A /proc of its own: of that, itself, and what libraries ask of the machine.
            for name in ["self", "cpuinfo", "meminfo", "stat", "loadavg", "uptime", "version", "filesystems"]
            {
                allow(&std::path::Path::new("/proc").join(name), AccessFs::ReadFile | AccessFs::ReadDir)?;
            }
            allow("/proc/sys/vm/overcommit_memory".as_ref(), AccessFs::ReadFile.into())?;
        }
        Ok(rules)
    }

    /// Becomes an ordinary user where it was started as root, and gives up every capability either way.
    fn drop_privileges(plan: &Plan) -> Result<(), String> {
        // SAFETY: system calls with numbers, or pointers to locals of the right shape.
        unsafe {
            for capability in 0..64 {
                // Fails beyond the last capability, and without CAP_SETPCAP; then there is none to lose.
                libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
            }
            if let Some(uid) = plan.uid {
                check("setgroups", libc::setgroups(0, std::ptr::null()))?;
                check("setresgid", libc::setresgid(uid, uid, uid))?;
                check("setresuid", libc::setresuid(uid, uid, uid))?;
            }
            // linux/capability.h: version 3, this process; two sets of 32 bits each.
            let header: [u32; 2] = [0x2008_0522, 0];
            let nothing = [0u32; 6];
            let result = libc::syscall(libc::SYS_capset, header.as_ptr(), nothing.as_ptr());
            if result < 0 {
                return Err(super::failed("capset"));
            }
        }
        Ok(())
    }
}
