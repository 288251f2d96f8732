//! Texts that live in the table while they are small, and in the blob store once they are not.

use domain::{Error, Job, JobStatus, Logs, Payload, Result, limits};
use ports::Durability;
use uuid::Uuid;

use crate::Store;
use crate::uploads::Upload;

/// The most that a job's logs take in the table, in bytes: beside an input, an output and an error they must stay under
/// DynamoDB's 400 KB.
const INLINE_LOGS: usize = 32 * 1024;

fn is_large(payload: Option<&Payload>, limit: usize) -> bool {
    matches!(payload, Some(Payload::Inline(text)) if text.len() > limit)
}

impl Store {
    /// Puts the texts of a job that are too large for the table elsewhere; the job as it is recorded then. `None` where
    /// all are small. Of a job that waits, what a caller is told is queued must survive power loss, like the job itself.
    pub(crate) async fn upload_texts(
        &self,
        job: &Job,
        durability: Durability,
    ) -> Result<Option<(Job, Upload)>> {
        let texts = [
            ("input", Some(&job.input), limits::INLINE_PAYLOAD),
            ("output", job.output.as_ref(), limits::INLINE_PAYLOAD),
            ("logs", job.logs.as_ref(), INLINE_LOGS),
        ];
        if !texts.iter().any(|(_, payload, limit)| is_large(*payload, *limit)) {
            return Ok(None);
        }
        // A place of its own each time, so that nobody removes or replaces what another's record names.
        let (folder, id) = (format!("jobs/{}/{}", job.function_id, job.id), Uuid::new_v4().simple());
        let mut job = job.clone();
        let mut blobs = Vec::new();
        let mut move_out = |name: &str, payload: &mut Payload, limit: usize| {
            if !is_large(Some(payload), limit) {
                return;
            }
            let key = format!("{folder}/{name}-{id}");
            let Payload::Inline(text) = payload else { return };
            let text = std::mem::take(text);
            *payload = Payload::Blob { key: key.clone(), bytes: text.len() };
            blobs.push((key, text.into_bytes().into()));
        };
        move_out("input", &mut job.input, limits::INLINE_PAYLOAD);
        if let Some(output) = &mut job.output {
            move_out("output", output, limits::INLINE_PAYLOAD);
        }
        if let Some(logs) = &mut job.logs {
            move_out("logs", logs, INLINE_LOGS);
        }
        let sync = durability == Durability::Power || job.status == JobStatus::Pending;
        let now = job.completed_at.or(job.started_at).unwrap_or(job.created_at);
        let upload = self.upload(blobs, sync, now).await?;
        Ok(Some((job, upload)))
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

    /// What a job printed.
    pub async fn logs(&self, job: &Job) -> Result<Logs> {
        match &job.logs {
            Some(logs) => serde_json::from_str(&self.text(logs).await?).map_err(Error::internal),
            None => Ok(Logs::default()),
        }
    }
}
