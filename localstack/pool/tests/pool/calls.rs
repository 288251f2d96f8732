//! Every system call that the kernel has, or may come to have, from inside: what is not on the list of what is allowed is
//! refused before it has any effect.

use sandbox::{SandboxChoice, SandboxKind, allowed_calls};
use serde_json::{Value, json};

use crate::kit::{Kit, until};

/// Makes each call with each set of arguments, and says which were answered with anything but these errors.
const TRY: &str = "
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def handler(event):
    got = []
    for number in event['numbers']:
        for words in event['words']:
            ctypes.set_errno(0)
            result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(word) for word in words])
            if result != -1 or ctypes.get_errno() not in event['errors']:
                got.append([number, words, result, ctypes.get_errno()])
    return got
";

/// Numbers beyond the newest call of any kernel today.
const BEYOND: i64 = 1024;
/// uretprobe(2) and uprobe(2), which the kernel shows to no filter since 6.14: they end a process that has no probe of the
/// kernel in it.
const UNSEEN: &[i64] = if cfg!(target_arch = "x86_64") { &[335, 336] } else { &[] };
/// The numbers of the x32 ABI begin here.
const X32: i64 = 0x4000_0000;

/// What none of the lists may ever hold, whatever somebody adds to them.
const NEVER: &[i64] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_seccomp,
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_msgget,
    libc::SYS_msgrcv,
    libc::SYS_msgsnd,
    libc::SYS_msgctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_mq_timedsend,
    libc::SYS_mq_timedreceive,
    libc::SYS_mq_notify,
    libc::SYS_mq_getsetattr,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_add_watch,
    libc::SYS_fanotify_init,
    libc::SYS_flock,
    libc::SYS_mincore,
    libc::SYS_setuid,
    libc::SYS_setresuid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    libc::SYS_clone3,
    libc::SYS_open_by_handle_at,
    libc::SYS_sync,
];

async fn refused(kit: &Kit, numbers: Vec<i64>, errors: &[i32]) {
    let function = kit.python(TRY).await;
    let words = [[0i64; 6], [-1; 6], [1, 2, 3, 4, 5, 6]];
    let event = json!({"numbers": numbers, "words": words, "errors": errors});
    assert_eq!(kit.ok(&function, &event.to_string()).await, "[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_that_is_not_allowed_is_refused() {
    for kind in SandboxKind::ALL {
        let allowed = allowed_calls(kind);
        assert!(allowed.len() > 100);
        let wrong: Vec<_> = NEVER.iter().filter(|call| allowed.contains(call)).collect();
        assert!(wrong.is_empty(), "{kind:?} allows {wrong:?}");
        let kit = Kit::new(SandboxChoice::Only(kind)).await;
        let all = (0..BEYOND).filter(|number| !allowed.contains(number) && !UNSEEN.contains(number));
        refused(&kit, all.collect(), &[libc::EPERM, libc::ENOSYS]).await;
        // What programs do without when it isn't there isn't there.
        let absent = [libc::SYS_clone3, libc::SYS_flock].into_iter().chain(600..BEYOND);
        #[cfg(target_arch = "x86_64")]
        let absent = absent.chain(X32..X32 + BEYOND);
        refused(&kit, absent.chain([0x7fff_ffff, 0xffff_ffff]).collect(), &[libc::ENOSYS]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_allowed_with_some_arguments_is_refused_with_others() {
    for kind in SandboxKind::ALL {
        let kit = Kit::new(SandboxChoice::Only(kind)).await;
        let huge = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_HUGETLB;
        let mut calls = vec![
            ("a huge page", libc::SYS_mmap, vec![0, 1 << 21, 3, i64::from(huge), -1, 0]),
            (
                "a namespace",
                libc::SYS_clone,
                vec![i64::from(libc::CLONE_NEWUSER | libc::SIGCHLD), 0, 0, 0, 0],
            ),
            ("a sibling", libc::SYS_clone, vec![i64::from(libc::CLONE_PARENT | libc::SIGCHLD), 0, 0, 0, 0]),
            ("death signal", libc::SYS_prctl, vec![1, 0, 0, 0, 0]),
            ("not dumpable", libc::SYS_prctl, vec![4, 0, 0, 0, 0]),
            ("another filter", libc::SYS_prctl, vec![22, 2, 0, 0, 0]),
            ("subreaper", libc::SYS_prctl, vec![36, 0, 0, 0, 0]),
            ("capabilities", libc::SYS_prctl, vec![47, 2, 0, 0, 0]),
            ("owner of signals", libc::SYS_fcntl, vec![3, 8, 1]),
            ("lease", libc::SYS_fcntl, vec![3, 1024, 0]),
            ("lease asked for", libc::SYS_fcntl, vec![3, 1025, 0]),
            ("notice of changes", libc::SYS_fcntl, vec![3, 1026, 1]),
            ("typing", libc::SYS_ioctl, vec![0, 0x5412, 0]),
            ("typing, 64 bits", libc::SYS_ioctl, vec![0, 0x1_0000_5412, 0]),
            ("attributes", libc::SYS_ioctl, vec![0, 0x4008_6602, 0]),
            ("merged pages", libc::SYS_madvise, vec![0, 0, 12]),
            ("pages put out", libc::SYS_madvise, vec![0, 0, 21]),
            ("a file's pages put out", libc::SYS_fadvise64, vec![3, 0, 0, 4]),
            ("is it in memory", libc::SYS_preadv2, vec![3, 0, 0, 0, 0, 8]),
            ("netlink's options", libc::SYS_setsockopt, vec![3, 270, 1, 0, 0]),
            ("a device", libc::SYS_mknodat, vec![-100, 0, i64::from(libc::S_IFCHR), 0x103]),
            ("a raw socket", libc::SYS_socket, vec![2, 3, 1]),
            ("netlink", libc::SYS_socket, vec![16, 3, 0]),
            ("another protocol", libc::SYS_socket, vec![2, 1, 132]),
            ("a packet socket", libc::SYS_socketpair, vec![17, 3, 0, 0]),
        ];
        if kind == SandboxKind::Landlock {
            let other = i64::from(std::process::id());
            calls.extend([
                ("a process", libc::SYS_clone, vec![i64::from(libc::SIGCHLD), 0, 0, 0, 0]),
                ("a signal", libc::SYS_kill, vec![other, 0]),
                ("a signal to all", libc::SYS_kill, vec![-1, 0]),
                ("a signal to the group", libc::SYS_kill, vec![0, 0]),
                ("a thread's signal", libc::SYS_tgkill, vec![other, other, 0]),
                ("another's limits", libc::SYS_prlimit64, vec![other, 7, 0, 0]),
                ("another's clock", libc::SYS_clock_gettime, vec![(!other << 3) | 2, 0]),
                ("another's group", libc::SYS_getpgid, vec![other]),
                ("a group's priority", libc::SYS_getpriority, vec![1, 0]),
                ("an address", libc::SYS_sendto, vec![3, 0, 0, 0, 1, 2]),
                ("datagrams", libc::SYS_socketpair, vec![1, 2, 0, 0]),
            ]);
        }
        let function = kit.python(TRY).await;
        for (name, number, words) in calls {
            let event = json!({"numbers": [number], "words": [words], "errors": [libc::EPERM]});
            assert_eq!(kit.ok(&function, &event.to_string()).await, "[]", "{name} ({})", kind.name());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_languages_run_under_the_same_filters() {
    for kind in SandboxKind::ALL {
        let kit = Kit::new(SandboxChoice::Only(kind)).await;
        let mark = format!("filters-{}-{}", std::process::id(), kind.name());
        let node = kit.node("exports.handler = async (mark) => { process.title = mark; await new Promise((r) => setTimeout(r, 60000)) }").await.timeout(3);
        let event = json!(mark).to_string();
        let mut seen = None;
        let look = || {
            seen = seen.take().or_else(|| status_of(&mark));
            seen.is_some()
        };
        tokio::join!(kit.run(&node, &event), until("it runs", look));
        let filters = if kind == SandboxKind::Bubblewrap { "1" } else { "3" };
        assert_eq!(seen.unwrap(), ["1", "2", filters], "{kind:?}");
    }
}

/// What the kernel says of the process of this name: that it can't gain privileges, that it is filtered, and how often.
fn status_of(name: &str) -> Option<[String; 3]> {
    let is_it = |entry: &std::fs::DirEntry| {
        std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line.starts_with(name.as_bytes()))
    };
    let process = std::fs::read_dir("/proc").unwrap().flatten().find(is_it)?;
    let status = std::fs::read_to_string(process.path().join("status")).ok()?;
    let value = |name: &str| Some(status.lines().find_map(|line| line.strip_prefix(name))?.trim().to_owned());
    Some([value("NoNewPrivs:")?, value("Seccomp:")?, value("Seccomp_filters:")?])
}

#[test]
fn the_same_calls_are_allowed_on_both_sides_of_the_two_lists() {
    let [namespaces, host] = SandboxKind::ALL.map(allowed_calls);
    // What the host's own processes are kept from in another way must not be allowed where there are no namespaces.
    assert!(host.is_subset(&namespaces));
    let more: Vec<Value> = namespaces.difference(&host).map(|&number| number.into()).collect();
    for call in
        [libc::SYS_socket, libc::SYS_connect, libc::SYS_sendmsg, libc::SYS_pidfd_open, libc::SYS_fchmod]
    {
        assert!(more.contains(&call.into()), "{call}");
    }
}
