//! The system calls that user code can't make.
//!
//! A list of what is refused, not of what is allowed: interpreters of many versions must run, and the namespaces or
//! Landlock hold what the calls could reach. On the list is what reaches past those: other processes' memory, new
//! namespaces and mounts, the kernel's less trodden paths, and memory that no limit counts.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as Condition,
    SeccompFilter, SeccompRule as Rule, TargetArch, sock_filter,
};

type Rules = BTreeMap<i64, Vec<Rule>>;

/// Always refused, with `EPERM`.
const REFUSED: &[i64] = &[
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    // Namespaces and mounts.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_quotactl,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    // The machine.
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_acct,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_personality,
    libc::SYS_lookup_dcookie,
    // Large surfaces that no handler needs.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_setup,
    libc::SYS_fanotify_init,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_mbind,
    libc::SYS_set_mempolicy,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    // Memory that is no process's own, and so is not counted as any one's.
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_semget,
    libc::SYS_msgget,
    libc::SYS_mq_open,
];

/// Likewise, calls that are newer than libc knows. Their numbers are the same on every processor.
const REFUSED_NEW: &[i64] = &[
    457, // statmount
    458, // listmount
    467, // open_tree_attr
];

/// The same, where the processor has them.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[i64] = &[
    libc::SYS_kexec_file_load,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[i64] = &[libc::SYS_kexec_file_load];

/// Refused as well where no namespaces keep user code from the host's processes, sockets and file attributes.
const REFUSED_ON_HOST: &[i64] = &[
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
    libc::SYS_setpgid,
    // Landlock says nothing of a file's owner, mode, times and attributes.
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    libc::SYS_inotify_add_watch,
    463, // setxattrat
    464, // getxattrat
    465, // listxattrat
    466, // removexattrat
    469, // file_setattr
    libc::SYS_getxattr,
    libc::SYS_lgetxattr,
    libc::SYS_fgetxattr,
    libc::SYS_listxattr,
    libc::SYS_llistxattr,
    libc::SYS_flistxattr,
];
#[cfg(target_arch = "x86_64")]
const REFUSED_ON_HOST_HERE: &[i64] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_ON_HOST_HERE: &[i64] = &[];

/// Every flag of clone(2) that makes a namespace.
const NAMESPACES: &[i32] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    0x80, // CLONE_NEWTIME
];

/// What an interpreter asks of a descriptor, where the files behind some are the host's: whether it is a terminal
/// (TCGETS), how wide (TIOCGWINSZ), how much there is to read (FIONREAD), and what fcntl(2) can say too (FIONBIO,
/// FIONCLEX, FIOCLEX). The rest could set attributes of files that can only be read.
const IOCTLS: [u64; 6] = [0x5401, 0x5413, 0x541b, 0x5421, 0x5450, 0x5451];

fn bits(value: i32) -> u64 {
    u64::from(value.cast_unsigned())
}

/// The filters, to be applied in this order. `isolated` says that namespaces keep the host's processes and network out
/// of reach; where they don't, no process and no socket can be made at all, and `own_pid` is all that can be signalled.
pub(super) fn filters(isolated: bool, own_pid: u32) -> Result<Vec<BpfProgram>, seccompiler::BackendError> {
    let condition = |arg, op, value| Condition::new(arg, Len::Dword, op, value);
    let mut refused = Rules::new();
    for &call in REFUSED.iter().chain(REFUSED_NEW).chain(REFUSED_HERE) {
        refused.insert(call, vec![]);
    }
    let mut clone = Vec::new();
    for &flag in NAMESPACES {
        clone.push(Rule::new(vec![condition(0, Op::MaskedEq(bits(flag)), bits(flag))?])?);
    }
    // A child beside its maker, not below it, where nobody would look for it.
    clone.push(Rule::new(vec![condition(
        0,
        Op::MaskedEq(bits(libc::CLONE_PARENT)),
        bits(libc::CLONE_PARENT),
    )?])?);
    // Likewise orphans that go elsewhere than to the worker; and a worker that outlives the server.
    let mut prctl = Vec::new();
    for option in [libc::PR_SET_PDEATHSIG, libc::PR_SET_CHILD_SUBREAPER] {
        prctl.push(Rule::new(vec![condition(0, Op::Eq, bits(option))?])?);
    }
    refused.insert(libc::SYS_prctl, prctl);
    let none_of = |arg, allowed: &[u64]| {
        let conditions: Result<_, _> = allowed.iter().map(|&value| condition(arg, Op::Ne, value)).collect();
        Rule::new(conditions?)
    };
    // A pair of any other family loads the kernel's module for it.
    let mut pair = vec![none_of(0, &[bits(libc::AF_UNIX)])?];
    // Typing into the terminal that started the server: TIOCSTI, TIOCLINUX.
    let mut ioctl = Vec::new();
    if isolated {
        for request in [0x5412, 0x541c] {
            ioctl.push(Rule::new(vec![condition(1, Op::Eq, request)?])?);
        }
        // No more than what loopback takes; other kinds load modules too.
        let mut kinds = Vec::new();
        for kind in (0..16).filter(|kind| ![libc::SOCK_STREAM, libc::SOCK_DGRAM].contains(kind)) {
            let unix = condition(0, Op::Ne, bits(libc::AF_UNIX))?;
            kinds.push(Rule::new(vec![unix, condition(1, Op::MaskedEq(0xf), bits(kind))?])?);
        }
        kinds.push(none_of(0, &[bits(libc::AF_UNIX), bits(libc::AF_INET), bits(libc::AF_INET6)])?);
        kinds.push(none_of(2, &[0, bits(libc::IPPROTO_TCP), bits(libc::IPPROTO_UDP)])?);
        refused.insert(libc::SYS_socket, kinds);
    } else {
        for &call in REFUSED_ON_HOST.iter().chain(REFUSED_ON_HOST_HERE) {
            refused.insert(call, vec![]);
        }
        let own = u64::from(own_pid);
        for call in [libc::SYS_kill, libc::SYS_tgkill] {
            refused.insert(call, vec![Rule::new(vec![condition(0, Op::Ne, own)?])?]);
        }
        let limits = vec![condition(0, Op::Ne, 0)?, condition(0, Op::Ne, own)?];
        refused.insert(libc::SYS_prlimit64, vec![Rule::new(limits)?]);
        clone.push(Rule::new(vec![condition(0, Op::MaskedEq(bits(libc::CLONE_THREAD)), 0)?])?);
        // A socket pair is only good for talking to itself, and must stay so.
        let stream = bits(libc::SOCK_STREAM);
        for kind in (0..16).filter(|&kind| kind != stream) {
            pair.push(Rule::new(vec![condition(1, Op::MaskedEq(0xf), kind)?])?);
        }
        refused.insert(libc::SYS_sendto, vec![Rule::new(vec![Condition::new(4, Len::Qword, Op::Ne, 0)?])?]);
        // Signals by way of asynchronous I/O: F_SETOWN, F_SETSIG, F_SETOWN_EX. Making others wait for a file, or hear of
        // it: F_SETLEASE, F_NOTIFY.
        let mut fcntl = Vec::new();
        for command in [8, 10, 15, 1024, 1026] {
            fcntl.push(Rule::new(vec![condition(1, Op::Eq, command)?])?);
        }
        refused.insert(libc::SYS_fcntl, fcntl);
        ioctl.push(none_of(1, &IOCTLS)?);
    }
    refused.insert(libc::SYS_socketpair, pair);
    refused.insert(libc::SYS_clone, clone);
    refused.insert(libc::SYS_ioctl, ioctl);
    // Its flags lie in memory, where no filter can look. Without it, libc uses clone.
    let absent = Rules::from([(libc::SYS_clone3, vec![])]);
    Ok(vec![program(absent, libc::ENOSYS)?, program(refused, libc::EPERM)?])
}

fn program(rules: Rules, errno: i32) -> Result<BpfProgram, seccompiler::BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let action = SeccompAction::Errno(errno.cast_unsigned());
    let filter: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, action, arch)?.try_into()?;
    // The calls of the x32 ABI have numbers of their own from 2^30 on, and none of them is on the list.
    let number = sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 };
    let is_x32 = sock_filter { code: 0x35, jt: 0, jf: 1, k: 0x4000_0000 };
    let refuse = sock_filter { code: 0x06, jt: 0, jf: 0, k: 0x0005_0000 | libc::ENOSYS.cast_unsigned() };
    Ok([number, is_x32, refuse].into_iter().chain(filter).collect())
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
