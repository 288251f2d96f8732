//! Texts that live in the table while they are small, and in the blob store once they are not.

use domain::{Error, FunctionId, JobId, Payload, Result, limits};
use ports::Durability;

use crate::Store;

/// The most that a job's logs take in the table, in bytes: beside an input, an output and an error they must stay under
/// DynamoDB's 400 KB.
const INLINE_LOGS: usize = 32 * 1024;

/// Which text of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The event.
    Input,
    /// The result, as written under this lease: a worker that lost its lease writes to a place of its own.
    Output(&'a str),
    /// What was printed, likewise.
    Logs(&'a str),
}

impl Store {
    /// Keeps a text of a job. What a caller is told is queued must survive power loss, like the job itself.
    pub async fn keep(
        &self,
        function: FunctionId,
        job: JobId,
        part: Part<'_>,
        text: String,
        durability: Durability,
    ) -> Result<Payload> {
        let (name, limit) = match part {
            Part::Input => ("input".to_owned(), limits::INLINE_PAYLOAD),
            Part::Output(lease) => (format!("output-{lease}"), limits::INLINE_PAYLOAD),
            Part::Logs(lease) => (format!("logs-{lease}"), INLINE_LOGS),
        };
        if text.len() <= limit {
            return Ok(Payload::Inline(text));
        }
        let (key, bytes) = (format!("jobs/{function}/{job}/{name}"), text.len());
        self.blobs.put(&key, text.into_bytes().into()).await?;
        if durability == Durability::Power {
            self.blobs.sync(&key).await?;
        }
        Ok(Payload::Blob { key, bytes })
    }

    /// The text.
    pub async fn text(&self, payload: &Payload) -> Result<String> {
        match payload {
            Payload::Inline(text) => Ok(text.clone()),
            Payload::Blob { key, .. } => {
                let bytes = self.blobs.get(key).await?;
                let bytes = bytes.ok_or_else(|| Error::internal(format!("the blob {key} is gone")))?;
                String::from_utf8(bytes.into()).map_err(Error::internal)
            }
        }
    }
}
