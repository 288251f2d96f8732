//! What standard libraries read of a machine: users, hosts, services, time zones, the locale. Under bubblewrap the files
//! are ours and say the same on every machine; files of the machine itself are only those that every machine has alike.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The name of the user that every worker runs as.
pub(super) const USER: &str = "function";

/// Files in `/etc`, and what is in them.
const FILES: [(&str, &str); 5] = [
    ("hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost6 ip6-localhost ip6-loopback\n127.0.1.1\tfunction\n"),
    (
        "nsswitch.conf",
        "passwd: files\ngroup: files\nshadow: files\nhosts: files\nservices: files\nprotocols: files\n",
    ),
    ("host.conf", "multi on\n"),
    (
        "protocols",
        "ip\t0\tIP\nicmp\t1\tICMP\ntcp\t6\tTCP\nudp\t17\tUDP\nipv6\t41\tIPv6\nipv6-icmp\t58\tIPv6-ICMP\n",
    ),
    (
        "services",
        "ftp\t21/tcp\nssh\t22/tcp\ntelnet\t23/tcp\nsmtp\t25/tcp\tmail\ndomain\t53/tcp\ndomain\t53/udp\n\
         http\t80/tcp\twww\npop3\t110/tcp\nntp\t123/udp\nimap2\t143/tcp\timap\nldap\t389/tcp\nhttps\t443/tcp\n\
         https\t443/udp\nsubmission\t587/tcp\nldaps\t636/tcp\nimaps\t993/tcp\npop3s\t995/tcp\n\
         mysql\t3306/tcp\npostgresql\t5432/tcp\n",
    ),
];

/// Folders of the machine that say nothing of it.
pub(super) const SHARED: [&str; 3] =
    ["/usr/share/zoneinfo", "/usr/lib/locale/C.utf8", "/usr/lib/locale/C.UTF-8"];

/// Files of the machine that Python's `mimetypes` reads where they are, and fails if it can't. Without namespaces they
/// are. They say nothing of the machine either.
pub(super) const TYPES: [&str; 3] =
    ["/etc/mime.types", "/etc/httpd/conf/mime.types", "/etc/apache2/mime.types"];

/// Writes the files into a folder, which is made.
pub(super) fn write(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    FILES.iter().try_for_each(|(name, text)| write_shared(&folder.join(name), text))
}

/// The files that were written to this folder, each with its place inside, and those that name this user.
pub(super) fn files(folder: &Path, uid: u32) -> Vec<(PathBuf, String)> {
    let mut files: Vec<_> =
        FILES.iter().map(|(name, _)| (folder.join(name), format!("/etc/{name}"))).collect();
    for (name, line) in [
        ("passwd", format!("{USER}:x:{uid}:{uid}:{USER}:/tmp:/bin/sh\n")),
        ("group", format!("{USER}:x:{uid}:\n")),
    ] {
        let path = folder.join(format!("{name}-{uid}"));
        // Without it a worker's user has no name, and that is all.
        if path.is_file() || write_shared(&path, &line).is_ok() {
            files.push((path, format!("/etc/{name}")));
        }
    }
    files
}

fn write_shared(path: &Path, text: &str) -> io::Result<()> {
    std::fs::write(path, text)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o644))
}
