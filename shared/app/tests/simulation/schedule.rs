//! One schedule: a storm of some minutes, then calm, then the reckoning.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use app::functions::NewFunction;
use app::invocations::Invoked;
use app::{Services, Store};
use bytes::Bytes;
use domain::metrics::Period;
use domain::{ExecutionType, FunctionId, Job, JobId, JobStatus, Language, Settings, UserId};
use ports::Clock;
use tokio::time::Instant;

use super::process::{Outside, Process};
use super::queue::StormyQueue;
use super::runtime::FAILED;
use super::table::StormyTable;
use super::world::{Skewed, World, lock};

/// What callers were told.
#[derive(Default)]
struct Told {
    accepted: BTreeMap<JobId, FunctionId>,
    over: BTreeMap<JobId, JobStatus>,
    deleted: BTreeSet<FunctionId>,
}

/// How long, after the storm, everything may take: the longest lease and the janitor's patience, several times over,
/// and what clocks that were turned back add to both.
const PATIENCE: Duration = Duration::from_secs(12 * 3600);
/// Longer than any run or write of the storm is under way.
const STRAGGLERS: Duration = Duration::from_secs(3600);
/// How far a clock jumps, in milliseconds.
const JUMP: u64 = 3_600_000;
const MAX_ATTEMPTS: u32 = 3;

/// What came of a schedule.
pub(crate) struct End {
    /// What went wrong.
    pub(crate) trouble: Vec<String>,
    /// All that happened.
    pub(crate) history: Vec<String>,
    /// How often what kind of thing happened.
    pub(crate) met: BTreeMap<&'static str, u64>,
}

/// Plays the schedule of this seed.
pub(crate) fn run(seed: u64) -> End {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let world = Arc::new(World::new(seed));
    let whole = AssertUnwindSafe(|| runtime.block_on(Schedule::run(world.clone())));
    if let Err(panic) = std::panic::catch_unwind(whole) {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
        world.complain(format!("a panic: {text}"));
    }
    End { trouble: world.trouble(), history: world.history(), met: world.met() }
}

struct Schedule {
    outside: Outside,
    processes: Vec<Process>,
    start: Instant,
    caller: UserId,
    functions: Vec<FunctionId>,
    told: Arc<Mutex<Told>>,
}

impl Schedule {
    async fn run(world: Arc<World>) {
        let outside = Outside {
            table: Arc::new(StormyTable::new(world.clone())),
            queue: Arc::new(StormyQueue::new(world.clone())),
            blobs: Arc::default(),
            one_machine: world.roll(2) == 0,
            world,
        };
        let mut this = Self {
            outside,
            processes: Vec::new(),
            start: Instant::now(),
            caller: UserId(1),
            functions: Vec::new(),
            told: Arc::default(),
        };
        let count = if this.outside.one_machine { 1 } else { 3 };
        for _ in 0..count {
            let skew = this.roll(4000) as i64 - 2000;
            this.processes.push(Process::start(&this.outside, Arc::new(Skewed::new(this.start, skew))));
        }
        this.make_functions().await;
        for _ in 0..10 + this.roll(25) {
            let pause = if this.roll(4) == 0 { this.roll(90_000) } else { this.roll(500) };
            tokio::time::sleep(Duration::from_millis(pause)).await;
            this.step().await;
        }
        this.note("calm", "from now on");
        this.outside.world.calm_down();
        this.settle().await;
        this.reckon().await;
        for process in this.processes.drain(..) {
            process.kill().await;
        }
    }

    fn note(&self, kind: &'static str, what: impl std::fmt::Display) {
        self.outside.world.note(kind, what);
    }

    fn roll(&self, below: u64) -> u64 {
        self.outside.world.roll(below)
    }

    async fn make_functions(&mut self) {
        let app = self.processes[0].app.clone();
        let workspace = loop {
            match app.workspaces.create(self.caller, &format!("w{}", self.roll(1 << 40)), None).await {
                Ok(workspace) => break workspace.id,
                Err(_) => continue,
            }
        };
        for execution_type in [ExecutionType::Sync, ExecutionType::Async, ExecutionType::Async] {
            let function = loop {
                let new = NewFunction {
                    workspace_id: workspace,
                    name: format!("f{}", self.roll(1 << 40)),
                    description: String::new(),
                    language: Language::Python,
                    code: "def handler(event): pass".to_owned(),
                    execution_type,
                    endpoint: None,
                    public: false,
                    http_methods: None,
                    runtime_label: None,
                    settings: Settings { max_attempts: MAX_ATTEMPTS, ..Settings::default() },
                };
                match app.functions.create(self.caller, new).await {
                    Ok(function) if store::functions::is_invocable(&function) => break function,
                    _ => continue,
                }
            };
            self.functions.push(function.id);
        }
    }

    async fn step(&mut self) {
        let at = self.roll(self.processes.len() as u64) as usize;
        match self.roll(100) {
            0..55 => self.invoke(at),
            55..68 => self.cancel(at),
            68..73 => self.again(at),
            73..83 => {
                self.note("kill", format_args!("process {at}"));
                let process = self.processes.swap_remove(at);
                let clock = process.clock.clone();
                process.kill().await;
                self.come_back(&clock).await;
            }
            83..86 => {
                self.note("stop", format_args!("process {at}"));
                let process = self.processes.swap_remove(at);
                let clock = process.clock.clone();
                process.stop(&self.outside).await;
                self.come_back(&clock).await;
            }
            86..96 => {
                let millis = self.roll(2 * JUMP) as i64 - JUMP as i64;
                let millis = millis / if self.roll(2) == 0 { 100 } else { 1 };
                self.note("clock jump", format_args!("process {at}, by {millis} ms"));
                self.processes[at].clock.jump(millis);
            }
            96 => self.delete(at),
            _ => tokio::time::sleep(Duration::from_secs(self.roll(300))).await,
        }
    }

    async fn come_back(&mut self, clock: &Arc<Skewed>) {
        tokio::time::sleep(Duration::from_millis(self.roll(60_000))).await;
        self.note("start", "a process comes back");
        self.processes.push(Process::start(&self.outside, clock.clone()));
    }

    fn invoke(&mut self, at: usize) {
        let function = self.functions[self.roll(self.functions.len() as u64) as usize];
        let (told, caller, world) = (self.told.clone(), self.caller, self.outside.world.clone());
        self.on(at, async move |app| {
            let invoked = app.invocations.invoke_as_user(caller, function, Bytes::from_static(b"{}")).await;
            lock(&told).invoked(&world, function, invoked);
        });
    }

    fn again(&mut self, at: usize) {
        let Some(id) = self.some_job() else { return };
        let (told, caller, world) = (self.told.clone(), self.caller, self.outside.world.clone());
        let function = lock(&told).accepted[&id];
        self.on(at, async move |app| {
            let invoked = app.jobs.retry(caller, id).await;
            lock(&told).invoked(&world, function, invoked);
        });
    }

    fn cancel(&mut self, at: usize) {
        let Some(id) = self.some_job() else { return };
        let (told, caller, world) = (self.told.clone(), self.caller, self.outside.world.clone());
        self.on(at, async move |app| {
            if let Ok(detail) = app.jobs.cancel(caller, id).await {
                world.note("told", format_args!("job {id} is {}", detail.job.status.as_str()));
                lock(&told).over.insert(id, detail.job.status);
            }
        });
    }

    fn delete(&mut self, at: usize) {
        let function = self.functions[self.roll(self.functions.len() as u64) as usize];
        let (told, caller, world) = (self.told.clone(), self.caller, self.outside.world.clone());
        self.on(at, async move |app| {
            if app.functions.delete(caller, function).await.is_ok() {
                world.note("deleted", function);
                lock(&told).deleted.insert(function);
            }
        });
    }

    /// A caller of this process, who hears no more when it dies.
    fn on<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        at: usize,
        call: impl FnOnce(Arc<Services>) -> F,
    ) {
        let process = &mut self.processes[at];
        process.tasks.spawn(call(process.app.clone()));
    }

    fn some_job(&self) -> Option<JobId> {
        let told = lock(&self.told);
        let at = self.roll(told.accepted.len() as u64) as usize;
        told.accepted.keys().nth(at).copied()
    }

    /// Waits until nothing is left to do, and no straggler is under way any more.
    async fn settle(&self) {
        for process in &self.processes {
            process.clock.jump(-process.clock.skew());
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let gone = self.gone().await;
            let mut open = self.outside.table.jobs();
            open.retain(|job| !job.status.is_final() && !gone.contains(&job.function_id));
            let messages = self.outside.queue.len();
            if open.is_empty() && messages == 0 {
                break;
            }
            if Instant::now() >= until {
                self.outside.world.complain(format!("stuck: {messages} messages, and {open:?}"));
                return;
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        tokio::time::sleep(STRAGGLERS).await;
    }

    /// The functions that were deleted, whether or not whoever asked for it was told.
    async fn gone(&self) -> BTreeSet<FunctionId> {
        let outside = &self.outside;
        let store = Store::new(outside.table.clone(), outside.blobs.clone());
        let mut gone = BTreeSet::new();
        for &id in &self.functions {
            if store.function_of_user(self.caller, id).await.expect("it is calm").is_none() {
                gone.insert(id);
            }
        }
        gone
    }

    /// Compares what is stored with what was told, and the counters with the jobs.
    async fn reckon(&self) {
        let complain = |what: String| self.outside.world.complain(what);
        let gone = self.gone().await;
        let mut jobs: BTreeMap<JobId, Job> =
            self.outside.table.jobs().into_iter().map(|job| (job.id, job)).collect();
        jobs.retain(|_, job| !gone.contains(&job.function_id));
        {
            let told = lock(&self.told);
            for deleted in told.deleted.difference(&gone) {
                complain(format!("{deleted} was deleted and is back"));
            }
            for (id, _) in told.accepted.iter().filter(|(_, function)| !gone.contains(function)) {
                match (jobs.get(id), told.over.get(id)) {
                    (None, _) => complain(format!("job {id} was acknowledged and is lost")),
                    (Some(job), Some(status)) if job.status != *status => {
                        complain(format!("told {status:?} of {job:?}"));
                    }
                    _ => {}
                }
            }
        }
        jobs.values().for_each(|job| self.check_end(job));
        let blobs: BTreeSet<_> = self.outside.blobs.blobs().into_keys().collect();
        let named = self.outside.table.named_blobs();
        if blobs != named {
            complain(format!("these blobs are stored: {blobs:?}, and these are named: {named:?}"));
        }
        // A step may leave a note behind that the janitor had just renewed; it goes when its time comes.
        let now = self.processes[0].clock.now().to_string();
        for note in self.outside.table.notes().into_iter().filter(|note| note.sk < now) {
            complain(format!("a note that nobody looked at: {note:?}"));
        }
        for &function in self.functions.iter().filter(|id| !gone.contains(id)) {
            self.check_counters(function, &jobs).await;
        }
    }

    fn check_end(&self, job: &Job) {
        let failed = job.error.as_deref() == Some(FAILED);
        let tried = job.attempts - job.faults - job.losses;
        let wanted = if job.execution_type == ExecutionType::Async { MAX_ATTEMPTS } else { tried };
        let right = match job.status {
            JobStatus::Success => job.attempts > 0,
            JobStatus::Cancelled => job.output.is_none(),
            JobStatus::Error if failed => tried == wanted,
            JobStatus::Error => job.faults > 0 || job.execution_type == ExecutionType::Sync,
            JobStatus::Pending | JobStatus::Running => false,
        };
        if !right || job.faults > domain::limits::PLATFORM_ATTEMPTS {
            self.outside.world.complain(format!("a wrong end: {job:?}"));
        }
    }

    async fn check_counters(&self, function: FunctionId, jobs: &BTreeMap<JobId, Job>) {
        let of = |wanted: &dyn Fn(&Job) -> bool| {
            jobs.values().filter(|job| job.function_id == function && wanted(job)).count() as i64
        };
        let ledger = [
            of(&|job| job.status == JobStatus::Success),
            of(&|job| job.status == JobStatus::Error),
            of(&|job| job.status == JobStatus::Cancelled),
            of(&|job| job.cold_start),
            0,
            0,
        ];
        let app = &self.processes[0].app;
        let figures = app.metrics.of_function(self.caller, function, Period::Day).await.expect("it is calm");
        let total = figures.total;
        let signed = |count: u64| i64::try_from(count).expect("few");
        let counted = [
            signed(total.success),
            signed(total.error),
            signed(total.cancelled),
            signed(total.cold_starts),
            total.pending,
            total.running,
        ];
        if ledger != counted {
            self.outside.world.complain(format!("the ledger says {ledger:?}, the counters {counted:?}"));
        }
    }
}

impl Told {
    fn invoked(&mut self, world: &World, function: FunctionId, invoked: domain::Result<Invoked>) {
        match invoked {
            Ok(Invoked::Ran(ran)) => {
                world.note("told", format_args!("job {} is {}", ran.job.id, ran.job.status.as_str()));
                self.accepted.insert(ran.job.id, function);
                self.over.insert(ran.job.id, ran.job.status);
            }
            Ok(Invoked::Accepted(job)) => {
                world.note("told", format_args!("job {} is accepted", job.id));
                self.accepted.insert(job.id, function);
            }
            Err(error) => world.note("told", format_args!("no: {}", error.code)),
        }
    }
}
