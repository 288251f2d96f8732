//! Objects of the host that have no place in its file system: System V's, and POSIX queues. Anyone on the machine may use
//! those made here.

use std::ffi::CString;
use std::sync::atomic::{AtomicI32, Ordering};

use serde_json::{Value, json};

/// One of each.
pub(crate) struct Ipc {
    message: i32,
    semaphore: i32,
    memory: i32,
    queue: CString,
    shared: CString,
}

#[repr(C)]
struct Message {
    kind: libc::c_long,
    text: [u8; 8],
}

/// Keys of objects, so that tests that run at once have their own.
static NEXT: AtomicI32 = AtomicI32::new(0);

impl Ipc {
    pub(crate) fn new(mark: &str) -> Self {
        let key = std::process::id().cast_signed() * 16 + NEXT.fetch_add(1, Ordering::Relaxed);
        let flags = libc::IPC_CREAT | 0o666;
        let name = CString::new(format!("/{mark}")).unwrap();
        let message = Message { kind: 1, text: *b"a secret" };
        // SAFETY: pointers to values that outlive the calls, of the sizes that are given.
        unsafe {
            let made = Self {
                message: libc::msgget(key, flags),
                semaphore: libc::semget(key, 1, flags),
                memory: libc::shmget(key, 4096, flags),
                queue: name.clone(),
                shared: name.clone(),
            };
            assert!(made.message >= 0 && made.semaphore >= 0 && made.memory >= 0);
            assert_eq!(libc::msgsnd(made.message, (&raw const message).cast(), 8, libc::IPC_NOWAIT), 0);
            let queue =
                libc::mq_open(name.as_ptr(), libc::O_CREAT | libc::O_RDWR, 0o666, std::ptr::null::<()>());
            assert!(queue >= 0, "{}", std::io::Error::last_os_error());
            libc::mq_close(queue);
            let shared = libc::shm_open(name.as_ptr(), libc::O_CREAT | libc::O_RDWR, 0o666);
            assert!(shared >= 0);
            assert_eq!(libc::write(shared, b"a secret".as_ptr().cast(), 8), 8);
            libc::close(shared);
            made
        }
    }

    pub(crate) fn ids(&self) -> Value {
        json!({"message": self.message, "semaphore": self.semaphore, "memory": self.memory})
    }

    pub(crate) fn is_unharmed(&self, after: &str) {
        // SAFETY: the structs are as large as the kernel's, and are only filled.
        unsafe {
            let mut message: libc::msqid_ds = std::mem::zeroed();
            assert_eq!(libc::msgctl(self.message, libc::IPC_STAT, &raw mut message), 0, "{after}");
            assert_eq!((message.msg_qnum, message.msg_lrpid), (1, 0), "{after}: the message was taken");
            let mut memory: libc::shmid_ds = std::mem::zeroed();
            assert_eq!(libc::shmctl(self.memory, libc::IPC_STAT, &raw mut memory), 0, "{after}");
            assert_eq!((memory.shm_nattch, memory.shm_lpid), (0, 0), "{after}: the memory was mapped");
            assert_eq!(
                libc::semctl(self.semaphore, 0, libc::GETVAL),
                0,
                "{after}: the semaphore was changed"
            );
            let queue = libc::mq_open(self.queue.as_ptr(), libc::O_RDWR);
            assert!(queue >= 0, "{after}: the queue is gone");
            let mut attributes: libc::mq_attr = std::mem::zeroed();
            assert_eq!(libc::mq_getattr(queue, &raw mut attributes), 0, "{after}");
            assert_eq!(attributes.mq_curmsgs, 0, "{after}: something was sent to the queue");
            libc::mq_close(queue);
            let shared = libc::shm_open(self.shared.as_ptr(), libc::O_RDONLY, 0);
            assert!(shared >= 0, "{after}: the shared memory is gone");
            libc::close(shared);
        }
    }
}

impl Drop for Ipc {
    fn drop(&mut self) {
        // SAFETY: plain calls; where an object is gone they fail.
        unsafe {
            libc::msgctl(self.message, libc::IPC_RMID, std::ptr::null_mut());
            libc::semctl(self.semaphore, 0, libc::IPC_RMID);
            libc::shmctl(self.memory, libc::IPC_RMID, std::ptr::null_mut());
            libc::mq_unlink(self.queue.as_ptr());
            libc::shm_unlink(self.shared.as_ptr());
        }
    }
}
