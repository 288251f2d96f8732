//! A pool to test, and functions to run in it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use domain::function::{Handler, Module};
use domain::job::Outcome;
use domain::{FunctionId, JobId, Language, Settings, Timestamp, Version, WorkspaceId};
use pool::{Pool, PoolConfig};
use ports::memory::MemoryBlobs;
use ports::{Blobs, Invocation, Runtime, RuntimeError};
use sandbox::{SandboxChoice, SandboxKind};

pub(crate) struct Kit {
    pub(crate) pool: Arc<Pool>,
    pub(crate) blobs: Arc<MemoryBlobs>,
    _folder: tempfile::TempDir,
}

/// A saved function.
#[derive(Clone)]
pub(crate) struct Saved {
    pub(crate) workspace: WorkspaceId,
    pub(crate) version: Arc<Version>,
    pub(crate) settings: Settings,
    pub(crate) name: Arc<str>,
    pub(crate) patience: Duration,
}

static COUNTER: AtomicU64 = AtomicU64::new(1);

pub(crate) fn unique() -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&COUNTER.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    bytes
}

pub(crate) fn config(folder: &tempfile::TempDir, sandbox: SandboxChoice) -> PoolConfig {
    let mut config = PoolConfig::new(env!("CARGO_BIN_EXE_sandbox-init"), folder.path());
    config.sandbox = sandbox;
    config
}

impl Kit {
    pub(crate) async fn new(sandbox: SandboxChoice) -> Self {
        Self::with(sandbox, |_| {}).await
    }

    pub(crate) async fn with(sandbox: SandboxChoice, adjust: impl FnOnce(&mut PoolConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder, sandbox);
        adjust(&mut config);
        let blobs = Arc::new(MemoryBlobs::default());
        let pool = Pool::start(config, blobs.clone()).await.unwrap();
        Self { pool, blobs, _folder: folder }
    }

    pub(crate) async fn python(&self, source: &str) -> Saved {
        self.save(Module::Python, source).await
    }

    pub(crate) async fn node(&self, source: &str) -> Saved {
        self.save(Module::CommonJs, source).await
    }

    pub(crate) async fn save(&self, module: Module, source: &str) -> Saved {
        let id = FunctionId::from_random(unique());
        self.save_version(id, 1, module, source).await
    }

    pub(crate) async fn save_version(
        &self,
        id: FunctionId,
        number: u32,
        module: Module,
        source: &str,
    ) -> Saved {
        let key = format!("code/{id}/{number}");
        self.blobs.put(&key, Bytes::from(source.to_owned())).await.unwrap();
        let language = if module == Module::Python { Language::Python } else { Language::Nodejs };
        Saved {
            workspace: WorkspaceId::from_random([1; 16]),
            version: Arc::new(Version {
                function_id: id,
                version: number,
                language,
                module,
                handler: Handler::default(),
                code_sha256: key.clone(),
                code_key: key,
                code_size: source.len(),
                created_at: Timestamp::from_millis(0),
            }),
            settings: Settings { timeout_seconds: 20, ..Settings::default() },
            name: "test".into(),
            patience: Duration::from_secs(30),
        }
    }

    pub(crate) async fn try_run(&self, saved: &Saved, event: &str) -> Result<Outcome, RuntimeError> {
        self.pool.invoke(saved.invocation(event)).await
    }

    pub(crate) async fn run(&self, saved: &Saved, event: &str) -> Outcome {
        self.try_run(saved, event).await.unwrap()
    }

    /// The result of a run that must succeed.
    pub(crate) async fn ok(&self, saved: &Saved, event: &str) -> String {
        let outcome = self.run(saved, event).await;
        outcome.result.unwrap_or_else(|error| panic!("{error}\nlogs: {}", outcome.logs.text()))
    }

    /// The error of a run that must fail.
    pub(crate) async fn error(&self, saved: &Saved, event: &str) -> String {
        self.run(saved, event).await.result.unwrap_err()
    }
}

impl Saved {
    pub(crate) fn invocation(&self, event: &str) -> Invocation {
        Invocation {
            job_id: JobId(COUNTER.fetch_add(1, Ordering::Relaxed)),
            attempt: 1,
            workspace_id: self.workspace,
            function_name: self.name.clone(),
            version: self.version.clone(),
            settings: Arc::new(self.settings.clone()),
            event: Bytes::from(event.to_owned()),
            patience: self.patience,
        }
    }

    pub(crate) fn timeout(mut self, seconds: u32) -> Self {
        self.settings.timeout_seconds = seconds;
        self
    }

    pub(crate) fn memory(mut self, mb: u32) -> Self {
        self.settings.memory_mb = mb;
        self
    }

    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.settings.environment = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        self
    }
}

/// Waits until it is so, and fails if it takes too long.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Every sandbox there is. A machine without one of them fails here: what is not tried is not known.
pub(crate) const BOTH: [SandboxChoice; 2] =
    [SandboxChoice::Only(SandboxKind::ALL[0]), SandboxChoice::Only(SandboxKind::ALL[1])];

/// Paths of the host that must not be there, or be closed. Under bubblewrap some names are those of files of its own.
pub(crate) fn paths(kind: SandboxKind) -> Vec<&'static str> {
    let mut paths = vec![
        "/etc/shadow",
        "/etc/hostname",
        "/etc/machine-id",
        "/root",
        "/home",
        "/var/log",
        "/var/tmp",
        "/sys/kernel",
        "/run",
        "/usr/bin",
        "/usr/bin/env",
        "/init",
    ];
    if kind == SandboxKind::Landlock {
        paths.extend(["/etc", "/etc/passwd", "/etc/hosts", "/bin/sh", "/dev/shm"]);
    }
    paths
}
