//! Whose turn it is, against a list of messages that is obviously right, in a time that the test moves.

use std::collections::HashMap;
use std::time::Duration;

use domain::{JobId, JobKind, WorkspaceId};
use ports::Message;
use ports::queue::MAX_RECEIVES;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rusqlite::Connection;

use super::lanes::Lanes;
use super::request::{Receipt, Settlement};
use super::schema;

/// How many of one workspace may be held.
const CAP: usize = 2;

#[derive(Clone, Debug)]
enum Op {
    Send(u8, i64),
    Claim(i64),
    /// Of a receipt that was ever given.
    Settle(Index, Settlement),
    Wait(i64),
    /// What a failed commit does.
    Reload,
    /// What a new server does.
    Restart,
}

struct Known {
    message: Message,
    visible_at: i64,
    receives: u32,
    held: bool,
}

#[derive(Default)]
struct Model {
    now: i64,
    // In the order in which they were sent.
    messages: Vec<Known>,
    receipts: Vec<(Receipt, JobId)>,
}

impl Model {
    fn held(&self, workspace: WorkspaceId) -> usize {
        self.messages.iter().filter(|known| known.held && known.message.tenant == workspace).count()
    }

    /// Ends holds, and buries what has been delivered too often and could be delivered now.
    fn advance(&mut self) {
        for known in &mut self.messages {
            known.held &= known.visible_at > self.now;
        }
    }

    /// The message that each workspace would deliver now.
    fn ready(&mut self) -> HashMap<WorkspaceId, JobId> {
        let mut ready = HashMap::new();
        let mut order: Vec<_> = (0..self.messages.len()).collect();
        order.sort_by_key(|n| self.messages[*n].visible_at);
        for n in order {
            let known = &self.messages[n];
            let workspace = known.message.tenant;
            let deliverable = !known.held && known.visible_at <= self.now && known.receives < MAX_RECEIVES;
            if deliverable && self.held(workspace) < CAP {
                ready.entry(workspace).or_insert(known.message.id);
            }
        }
        ready
    }

    fn settle(&mut self, receipt: Receipt, job: JobId, how: Settlement) {
        let Some(n) = self.messages.iter().position(|known| known.message.id == job) else { return };
        let known = &mut self.messages[n];
        if known.receives != receipt.receives {
            return;
        }
        match how {
            Settlement::Ack | Settlement::Bury => drop(self.messages.remove(n)),
            _ if !known.held => {}
            Settlement::Release(delay) => {
                known.held = false;
                known.visible_at = super::clock::later(self.now, delay);
            }
            Settlement::Return => {
                known.held = false;
                known.visible_at = self.now;
                known.receives -= 1;
            }
        }
    }
}

fn ops() -> impl Strategy<Value = Op> {
    let delays = || select(vec![0, 0, 1, 5, 20]);
    let how = prop_oneof![
        2 => Just(Settlement::Ack),
        4 => delays().prop_map(|delay| Settlement::Release(Duration::from_millis(delay))),
        1 => Just(Settlement::Return),
        1 => Just(Settlement::Bury),
    ];
    prop_oneof![
        4 => (0..4_u8, delays()).prop_map(|(workspace, delay)| Op::Send(workspace, delay as i64)),
        8 => select(vec![0, 1, 10, 1000]).prop_map(Op::Claim),
        5 => (any::<Index>(), how).prop_map(|(receipt, how)| Op::Settle(receipt, how)),
        2 => (0..15_i64).prop_map(Op::Wait),
        1 => Just(Op::Reload),
        1 => Just(Op::Restart),
    ]
}

fn dead(connection: &Connection) -> i64 {
    connection.query_row("SELECT count(*) FROM dead_letters", [], |row| row.get(0)).expect("dead letters")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn claims_are_those_that_may_be(ops in vec(ops(), 1..150)) {
        let dir = tempfile::tempdir().expect("a directory");
        let connection = schema::open(&dir.path().join("test.db")).expect("open");
        // What matters here is not that it is kept.
        connection.execute_batch("PRAGMA synchronous = OFF; BEGIN").expect("begin");
        let mut model = Model { now: 1_000_000, ..Model::default() };
        let mut lanes = Lanes::reset(&connection, model.now).expect("reset");
        let (mut sent, mut buried) = (0, 0);
        for op in ops {
            match op {
                Op::Send(workspace, delay) => {
                    sent += 1;
                    let tenant = WorkspaceId::from_random([workspace; 16]);
                    let message = Message { kind: JobKind::Function, id: JobId(sent), tenant };
                    let visible_at = model.now + delay;
                    lanes.send(&connection, &message, visible_at, model.now).expect("send");
                    model.messages.push(Known { message, visible_at, receives: 0, held: false });
                }
                Op::Claim(visibility) => {
                    lanes.advance(&connection, model.now).expect("advance");
                    model.advance();
                    let until = model.now + visibility;
                    let ready = model.ready();
                    match lanes.claim(&connection, model.now, until, CAP).expect("claim") {
                        None => prop_assert!(ready.is_empty(), "{ready:?} could have been delivered"),
                        Some(delivery) => {
                            let job = delivery.message.id;
                            prop_assert_eq!(ready.get(&delivery.message.tenant), Some(&job));
                            let known = model.messages.iter_mut().find(|known| known.message.id == job);
                            let known = known.expect("it is ready");
                            known.receives += 1;
                            known.held = true;
                            known.visible_at = until;
                            prop_assert_eq!(delivery.receives, known.receives);
                            let receipt = Receipt::parse(&delivery.receipt).expect("a receipt");
                            model.receipts.push((receipt, job));
                        }
                    }
                }
                Op::Settle(which, how) if !model.receipts.is_empty() => {
                    let (receipt, job) = model.receipts[which.index(model.receipts.len())];
                    let before = model.messages.len();
                    lanes.settle(&connection, receipt, how, model.now).expect("settle");
                    model.settle(receipt, job, how);
                    buried += if how == Settlement::Bury { (before - model.messages.len()) as i64 } else { 0 };
                }
                Op::Settle(..) => {}
                Op::Wait(time) => model.now += time,
                Op::Reload => lanes.reload(&connection, model.now).expect("reload"),
                Op::Restart => {
                    lanes = Lanes::reset(&connection, model.now).expect("reset");
                    // Who had them is gone too.
                    model.receipts.clear();
                    for known in model.messages.iter_mut().filter(|known| known.held) {
                        known.held = false;
                        known.visible_at = model.now;
                    }
                }
            }
        }
        // In the end everything comes, except what has come too often.
        let mut left = model.messages.iter().filter(|known| known.receives < MAX_RECEIVES).count();
        let given_up = (model.messages.len() - left) as i64;
        model.now += 100_000;
        lanes.advance(&connection, model.now).expect("advance");
        while let Some(delivery) = lanes.claim(&connection, model.now, model.now + 1000, CAP).expect("claim") {
            let receipt = Receipt::parse(&delivery.receipt).expect("a receipt");
            lanes.settle(&connection, receipt, Settlement::Ack, model.now).expect("settle");
            left -= 1;
        }
        prop_assert_eq!(left, 0);
        prop_assert_eq!(dead(&connection), buried + given_up);
        prop_assert_eq!(lanes.next_due(), None, "nothing is left to wait for");
    }
}
