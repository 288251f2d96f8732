//! The server, killed with SIGKILL at random moments under mixed load, again and again on the same data; then its
//! ledger is asked, over HTTP, whether it kept every word it gave.
//!
//! `FUNCTION_RUNNER_KILLS` says how often (25 where absent, `make crash`: 200), `FUNCTION_RUNNER_SEED` which moments and
//! requests. Where a kill lands in the server's work differs from run to run whatever the seed.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

mod ledger;
mod load;
mod tenants;
mod watch;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use testkit::{Client, Server};

use load::{Caller, Functions, Told};
use watch::Watch;

/// SplitMix64: enough to choose by, and the same everywhere.
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

/// How many callers there are at once.
const CALLERS: u64 = 10;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect(name))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kill_makes_the_ledger_lie() {
    let (kills, seed) = (number("FUNCTION_RUNNER_KILLS", 25), number("FUNCTION_RUNNER_SEED", 1));
    println!("{kills} kills, seed {seed}");
    let mut dice = Dice(seed);
    let mut server = Server::start(&[]);
    let watch = Watch::start(&server);
    let user = server.user().await;
    let functions = Arc::new(Functions::make(&user).await);
    let told = Arc::new(Mutex::new(Told::default()));
    for round in 0..kills {
        watch.waits_for(&format!("round {round}: callers, until the server is killed"));
        let user = server.anyone().with_token(user.token().expect("logged in"));
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let dice = Dice(seed ^ (round << 32) ^ (caller << 24));
                let (user, functions, told) = (user.clone(), functions.clone(), told.clone());
                tokio::spawn(load::call(Caller { user, functions, told, number: caller }, dice))
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(20 + dice.roll(900))).await;
        watch.waits_for(&format!("round {round}: the server's end"));
        tokio::task::block_in_place(|| server.kill());
        for (number, caller) in callers.into_iter().enumerate() {
            watch.waits_for(&format!("round {round}: caller {number}, whose server is gone"));
            caller.await.expect("a caller is answered as it should be, or not at all");
        }
        if dice.roll(4) == 0 {
            watch.waits_for(&format!("round {round}: a start that is cut short"));
            die_while_starting(&server, dice.roll(200)).await;
        }
        watch.waits_for(&format!("round {round}: the server's start"));
        tokio::task::block_in_place(|| server.begin());
        watch.looks_at(&server);
        let user = server.anyone().with_token(user.token().expect("logged in"));
        watch.waits_for(&format!("round {round}: a look at some of the ledger"));
        ledger::spot_check(&user, &told, &mut dice).await;
        let mut kept = std::mem::take(&mut told.lock().unwrap().kept);
        watch.waits_for(&format!("round {round}: a look at some of what tenants keep"));
        kept.check(&user, Some(&mut dice)).await;
        told.lock().unwrap().kept = kept;
    }
    let user: Client = server.anyone().with_token(user.token().expect("logged in"));
    let told = Arc::into_inner(told).expect("every caller has ended").into_inner();
    let mut told = told.expect("no caller panicked");
    watch.waits_for("all that tenants keep");
    told.kept.check(&user, None).await;
    ledger::check(&user, &functions, &told, &watch).await;
    println!("{}", told.kept.describe());
}

/// A start that is cut short too.
async fn die_while_starting(server: &Server, millis: u64) {
    let mut child = Server::command(server.data()).spawn().expect("the server can be started");
    tokio::time::sleep(Duration::from_millis(millis)).await;
    child.kill().expect("a child can be killed");
    testkit::poll("the child has ended", async || child.try_wait().expect("a child can be waited for")).await;
}
