//! The filter of system calls: what is on the list of [`super::calls`] is allowed, some of it with certain arguments
//! only, and everything else is refused with `EPERM`. What libc can do without, and what is newer than the list, is
//! refused with `ENOSYS`, on which libraries fall back to what they used before.

use std::collections::{BTreeMap, BTreeSet};

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op,
    SeccompCondition as Condition, SeccompFilter, SeccompRule as Rule, TargetArch, sock_filter,
};

use super::calls;

type Rules = BTreeMap<i64, Vec<Rule>>;

/// Every flag of clone(2) that makes a namespace (the last one is `CLONE_NEWTIME`), or a child beside its maker, not below
/// it, where nobody would look for it.
const CLONE_REFUSED: i32 = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_PARENT
    | 0x80;

/// What an interpreter asks of a descriptor: whether it is a terminal (TCGETS, TCGETS2), how wide (TIOCGWINSZ), how much
/// there is to read or to send (FIONREAD, TIOCOUTQ, SIOCATMARK), and what fcntl(2) can say too (FIONBIO, FIONCLEX,
/// FIOCLEX). Others set attributes of files that can only be read, or type into the terminal that started the server.
const IOCTLS: [u64; 9] = [0x5401, 0x802c_542a, 0x5413, 0x541b, 0x5411, 0x8905, 0x5421, 0x5450, 0x5451];

/// F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_DUPFD_CLOEXEC, F_SETPIPE_SZ, F_GETPIPE_SZ.
/// Others make the kernel send signals to a process, make others wait for a file or hear of it, and lock files in ways
/// that readers of a file can see.
const FCNTLS: [u64; 11] = [0, 1, 2, 3, 4, 5, F_SETLK, F_SETLKW, 1030, 1031, 1032];
const F_SETLK: u64 = 6;
const F_SETLKW: u64 = 7;

/// What a process may ask of or set for itself: names, slack of timers, less privilege. Not whom it dies with, where its
/// orphans go, or that the server can't look at it.
const PRCTLS: [u64; 15] = [
    2,           // PR_GET_PDEATHSIG
    3,           // PR_GET_DUMPABLE
    15,          // PR_SET_NAME
    16,          // PR_GET_NAME
    21,          // PR_GET_SECCOMP
    23,          // PR_CAPBSET_READ
    27,          // PR_GET_SECUREBITS
    29,          // PR_SET_TIMERSLACK
    30,          // PR_GET_TIMERSLACK
    37,          // PR_GET_CHILD_SUBREAPER
    38,          // PR_SET_NO_NEW_PRIVS
    39,          // PR_GET_NO_NEW_PRIVS
    41,          // PR_SET_THP_DISABLE
    42,          // PR_GET_THP_DISABLE
    0x5356_4d41, // PR_SET_VMA, which names memory
];

/// Advice on memory of its own. Not what tells whether a page is in memory, merges it with others', or puts a file's
/// pages out of memory: files are shared.
const MADVICE: [u64; 18] = [0, 1, 2, 3, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19, 22, 23, 102, 103];

/// Advice on files: all but POSIX_FADV_DONTNEED, which puts a file's pages out of memory.
const FADVICE: [u64; 5] = [0, 1, 2, 3, 5];

/// SOL_IP, SOL_SOCKET, SOL_TCP, SOL_UDP, SOL_IPV6.
const SOCKET_LEVELS: [u64; 5] = [0, 1, 6, 17, 41];

/// RWF_NOWAIT tells whether a file's page is in memory.
const RWF_NOWAIT: u64 = 8;

fn bits(value: i32) -> u64 {
    u64::from(value.cast_unsigned())
}

fn is(argument: u8, value: u64) -> Result<Condition, BackendError> {
    Condition::new(argument, Len::Dword, Op::Eq, value)
}

/// The bits of the mask are these.
fn masked(argument: u8, mask: u64, value: u64) -> Result<Condition, BackendError> {
    Condition::new(argument, Len::Dword, Op::MaskedEq(mask), value)
}

/// A rule for each value that the argument may have.
fn one_of(argument: u8, values: &[u64]) -> Result<Vec<Rule>, BackendError> {
    values.iter().map(|&value| Rule::new(vec![is(argument, value)?])).collect()
}

/// A rule of one condition.
fn only(condition: Result<Condition, BackendError>) -> Result<Vec<Rule>, BackendError> {
    Ok(vec![Rule::new(vec![condition?])?])
}

/// What is allowed. `isolated` says that namespaces keep the host's processes and network out of reach; where they don't,
/// no process and no socket can be made at all, and `own_pid` is all that can be signalled.
fn allowed(isolated: bool, own_pid: u32) -> Result<Rules, BackendError> {
    let mut rules = Rules::new();
    let mut allow = |list: &[i64]| rules.extend(list.iter().map(|&call| (call, vec![])));
    allow(calls::EVERYWHERE);
    allow(calls::EVERYWHERE_HERE);
    allow(calls::OF_A_THREAD);
    if isolated {
        for list in [
            calls::IN_NAMESPACES,
            calls::IN_NAMESPACES_HERE,
            calls::OF_A_PROCESS,
            calls::PRIORITIES,
            calls::OF_A_CLOCK,
        ] {
            allow(list);
        }
    }
    rules.insert(libc::SYS_ioctl, one_of(1, &IOCTLS)?);
    rules.insert(libc::SYS_fcntl, one_of(1, &FCNTLS)?);
    rules.insert(libc::SYS_prctl, one_of(0, &PRCTLS)?);
    rules.insert(libc::SYS_madvise, one_of(2, &MADVICE)?);
    rules.insert(libc::SYS_fadvise64, one_of(3, &FADVICE)?);
    rules.insert(libc::SYS_setsockopt, one_of(1, &SOCKET_LEVELS)?);
    for call in [libc::SYS_preadv2, libc::SYS_pwritev2] {
        rules.insert(call, only(masked(5, RWF_NOWAIT, 0))?);
    }
    // Large pages that the machine's owner set aside count for no control group of memory.
    rules.insert(libc::SYS_mmap, only(masked(3, bits(libc::MAP_HUGETLB), 0))?);
    // Pipes with a name; devices never.
    let kind = u64::from(libc::S_IFMT);
    rules.insert(libc::SYS_mknodat, only(masked(2, kind, libc::S_IFIFO.into()))?);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_mknod, only(masked(1, kind, libc::S_IFIFO.into()))?);
    let no_namespace = masked(0, bits(CLONE_REFUSED), 0)?;
    let unix = is(0, bits(libc::AF_UNIX))?;
    let stream = bits(libc::SOCK_STREAM);
    if isolated {
        rules.insert(libc::SYS_clone, vec![Rule::new(vec![no_namespace])?]);
        rules.insert(libc::SYS_socketpair, vec![Rule::new(vec![unix.clone()])?]);
        // No more than what loopback takes; other families and kinds load modules of the kernel.
        let mut sockets = vec![Rule::new(vec![unix, is(2, 0)?])?];
        for family in [libc::AF_INET, libc::AF_INET6] {
            for kind in [stream, bits(libc::SOCK_DGRAM)] {
                for protocol in [0, libc::IPPROTO_TCP, libc::IPPROTO_UDP] {
                    let conditions =
                        vec![is(0, bits(family))?, masked(1, 0xf, kind)?, is(2, bits(protocol))?];
                    sockets.push(Rule::new(conditions)?);
                }
            }
        }
        rules.insert(libc::SYS_socket, sockets);
    } else {
        let own = [0, u64::from(own_pid)];
        let thread = bits(libc::CLONE_THREAD);
        rules.insert(libc::SYS_clone, vec![Rule::new(vec![no_namespace, masked(0, thread, thread)?])?]);
        // A socket pair is only good for talking to itself, and must stay so.
        rules.insert(libc::SYS_socketpair, vec![Rule::new(vec![unix, masked(1, 0xf, stream)?])?]);
        rules.insert(libc::SYS_sendto, only(Condition::new(4, Len::Qword, Op::Eq, 0))?);
        for call in [libc::SYS_kill, libc::SYS_tgkill] {
            rules.insert(call, one_of(0, &own[1..])?);
        }
        for &call in calls::OF_A_PROCESS.iter().chain(&[libc::SYS_prlimit64]) {
            rules.insert(call, one_of(0, &own)?);
        }
        for &call in calls::PRIORITIES {
            let process = bits(libc::PRIO_PROCESS.cast_signed());
            let rule = |own| Rule::new(vec![is(0, process)?, is(1, own)?]);
            rules.insert(call, own.into_iter().map(rule).collect::<Result<_, _>>()?);
        }
        for &call in calls::OF_A_CLOCK {
            // Those of processes are negative.
            rules.insert(call, only(Condition::new(0, Len::Dword, Op::Le, 31))?);
        }
    }
    Ok(rules)
}

/// The calls that are allowed with some arguments or with any.
pub(super) fn allowed_calls(isolated: bool) -> Result<BTreeSet<i64>, BackendError> {
    Ok(allowed(isolated, 1)?.into_keys().collect())
}

/// The filters, to be applied in this order; the arguments are as for [`allowed`].
pub(super) fn filters(isolated: bool, own_pid: u32) -> Result<Vec<BpfProgram>, BackendError> {
    let refused = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let list: BpfProgram =
        SeccompFilter::new(allowed(isolated, own_pid)?, refused, SeccompAction::Allow, arch)?.try_into()?;
    // In front of it, what is answered with ENOSYS. The calls of the x32 ABI are among them: their numbers begin at 2^30.
    let statement = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let absent = statement(0x06, 0, 0, 0x0005_0000 | libc::ENOSYS.cast_unsigned());
    let mut main = vec![statement(0x20, 0, 0, 0), statement(0x25, 0, 1, calls::NEWEST), absent.clone()];
    for &call in calls::ABSENT {
        let number = u32::try_from(call).unwrap_or(u32::MAX);
        main.extend([statement(0x15, 0, 1, number), absent.clone()]);
    }
    main.extend(list);
    let mut filters = Vec::new();
    if !isolated {
        // A process's own locks never keep it from a file, and here it is the only one that may write to the files that
        // it may lock. So to set one does nothing, and that is what is done: on files that all workers read, or on
        // /dev/null, others could tell.
        let locks = Rules::from([(libc::SYS_fcntl, one_of(1, &[F_SETLK, F_SETLKW])?)]);
        let others = Rule::new(vec![
            Condition::new(0, Len::Dword, Op::Ne, 0)?,
            Condition::new(0, Len::Dword, Op::Ne, own_pid.into())?,
        ])?;
        let threads = calls::OF_A_THREAD.iter().map(|&call| (call, vec![others.clone()])).collect();
        for (rules, errno) in [(locks, 0), (threads, libc::ENOSYS)] {
            let action = SeccompAction::Errno(errno.cast_unsigned());
            filters.push(SeccompFilter::new(rules, SeccompAction::Allow, action, arch)?.try_into()?);
        }
    }
    // Last, since it lets none be added.
    filters.push(main);
    Ok(filters)
}

#[cfg(test)]
mod tests {
    #[test]
    fn filters_fit_the_kernel() {
        for isolated in [true, false] {
            for filter in super::filters(isolated, 1).unwrap() {
                // BPF_MAXINSNS
                assert!(filter.len() <= 4096, "{}", filter.len());
            }
        }
    }
}
