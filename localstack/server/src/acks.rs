//! Acknowledgements, given together: each by itself is a commit of SQLite's, and whoever writes meanwhile waits for it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ports::Queue;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::settling::until_settled;

/// How many are given together: half of what a workspace has in workers' hands at most, so that the other half keeps them
/// busy.
const TOGETHER: usize = 5;
/// How long one waits for others.
const COMPANY: Duration = Duration::from_millis(2);

/// Those that wait to be given.
#[derive(Default)]
pub(crate) struct Acks {
    /// Their receipts, and what is dropped when they are given.
    waiting: Mutex<Vec<(String, oneshot::Sender<()>)>>,
}

impl Acks {
    /// Acknowledges a delivery; together with others, if there are `more` under way that may end soon. One that can't be
    /// acknowledged before `stopping` is delivered again.
    pub(crate) async fn give(
        &self,
        queue: &dyn Queue,
        receipt: String,
        more: bool,
        stopping: &CancellationToken,
    ) {
        let (end, given) = oneshot::channel();
        let count = {
            let mut waiting = self.waiting();
            waiting.push((receipt, end));
            waiting.len()
        };
        if more && count < TOGETHER && timeout(COMPANY, given).await.is_ok() {
            return;
        }
        let (receipts, _ends): (Vec<_>, Vec<_>) = std::mem::take(&mut *self.waiting()).into_iter().unzip();
        until_settled(stopping, || queue.ack_all(&receipts)).await;
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(String, oneshot::Sender<()>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use domain::{JobId, JobKind, WorkspaceId};
    use futures::future::join_all;
    use ports::{Delivery, Message};
    use sqlite::{Database, QueueConfig, SqliteQueue};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn open(directory: &Path) -> (Database, Arc<SqliteQueue>) {
        let database = Database::open(directory).expect("open");
        let queue = database.queue(QueueConfig { max_inflight_per_workspace: 100 });
        (database, queue)
    }

    async fn received(queue: &SqliteQueue) -> Vec<Delivery> {
        queue.receive(100, HOUR, Duration::ZERO).await.expect("receive")
    }

    async fn send_and_receive(queue: &SqliteQueue, count: u64) -> Vec<Delivery> {
        let tenant = WorkspaceId::from_random([1; 16]);
        for job in 0..count {
            queue
                .send(&Message { kind: JobKind::Function, id: JobId(job), tenant }, Duration::ZERO)
                .await
                .expect("send");
        }
        received(queue).await
    }

    #[tokio::test]
    async fn each_is_given_by_the_time_that_is_said() {
        for (count, more) in [(1, false), (1, true), (4, true), (5, true), (7, true), (23, true), (23, false)]
        {
            let directory = tempfile::tempdir().expect("a directory");
            let (database, queue) = open(directory.path());
            let deliveries = send_and_receive(&queue, count).await;
            let (acks, stopping) = (Acks::default(), CancellationToken::new());
            join_all(
                deliveries.into_iter().map(|delivery| acks.give(&*queue, delivery.receipt, more, &stopping)),
            )
            .await;
            drop((queue, database));
            let (_database, queue) = open(directory.path());
            assert_eq!(received(&queue).await, [], "{count} messages");
        }
    }

    #[tokio::test]
    async fn what_could_not_be_given_is_delivered_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let (database, queue) = open(directory.path());
        let deliveries = send_and_receive(&queue, 7).await;
        drop(database);
        let (acks, stopping) = (Acks::default(), CancellationToken::new());
        stopping.cancel();
        let given =
            deliveries.into_iter().map(|delivery| acks.give(&*queue, delivery.receipt, true, &stopping));
        join_all(given).await;
        drop(queue);
        let (_database, queue) = open(directory.path());
        assert_eq!(received(&queue).await.len(), 7);
    }
}
