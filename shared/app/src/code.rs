//! The source code of functions: checked before it is saved, kept beside the records, found again.

use std::sync::Arc;

use domain::fault::Content;
use domain::function::{Checked, CodeFault};
use domain::{
    Attribute, Error, Fault, Function, FunctionId, Language, Result, Rule, UserId, Version, limits,
};
use ports::{Clock, Draft, Runtime, RuntimeError};
use quick_cache::sync::Cache;
use store::Store;
use store::uploads::Upload;

use crate::digest::sha256;
use crate::random::Random;

/// How many sources are kept in memory. They never change: their keys name their content.
const CACHED_SOURCES: usize = 256;

/// Checks source code, keeps it and finds it again.
pub(crate) struct Code {
    store: Store,
    runtime: Arc<dyn Runtime>,
    clock: Arc<dyn Clock>,
    random: Random,
    known: Cache<String, Arc<str>>,
}

impl Code {
    pub(crate) fn new(
        store: Store,
        runtime: Arc<dyn Runtime>,
        clock: Arc<dyn Clock>,
        random: Random,
    ) -> Self {
        Self { store, runtime, clock, random, known: Cache::new(CACHED_SOURCES) }
    }

    /// The source of a version.
    pub(crate) async fn of(&self, version: &Version) -> Result<Arc<str>> {
        if let Some(code) = self.known.get(&version.code_key) {
            return Ok(code);
        }
        let bytes = self.store.blobs().get(&version.code_key).await?;
        let bytes = bytes.ok_or_else(|| Error::internal(format!("the blob {} is gone", version.code_key)))?;
        let code: Arc<str> = String::from_utf8(bytes.into()).map_err(Error::internal)?.into();
        self.known.insert(version.code_key.clone(), code.clone());
        Ok(code)
    }

    /// Checks code, or adds what is wrong with it.
    pub(crate) async fn check(
        &self,
        user_id: UserId,
        language: Language,
        code: String,
        faults: &mut Vec<Fault>,
    ) -> Result<Option<Source>> {
        match self.judge(Draft { user_id, language, code: &code, waits: true }).await? {
            Ok(checked) => Ok(Some(Source { language, checked, code })),
            Err(fault) => {
                faults.push(fault);
                Ok(None)
            }
        }
    }

    /// What is wrong with code that is not to be saved, since other things are wrong with the request.
    pub(crate) async fn fault(&self, user_id: UserId, language: Language, code: &str) -> Option<Fault> {
        match self.judge(Draft { user_id, language, code, waits: false }).await {
            Ok(judged) => judged.err(),
            // What can't be told now is told with the next request.
            Err(error) => {
                tracing::debug!(%error, "code was not checked beside other faults");
                None
            }
        }
    }

    async fn judge(&self, draft: Draft<'_>) -> Result<Result<Checked, Fault>> {
        let count = draft.code.len();
        if count > limits::CODE {
            let rule = Rule::MaxBytes { of: Content::Code, max: limits::CODE, count };
            return Ok(Err(Fault::new(Attribute::Code, rule)));
        }
        Ok(self.verdict(draft).await?.map_err(at_fault))
    }

    /// What the runtime says of code, of at most [`limits::CODE`] bytes.
    pub(crate) async fn verdict(&self, draft: Draft<'_>) -> Result<Result<Checked, CodeFault>> {
        self.runtime.check(draft).await.map_err(|error| match error {
            RuntimeError::Busy { retry_after } => {
                Error::too_many(retry_after, "Too much code is being saved at once; try again in a moment")
            }
            RuntimeError::Failed(reason) => Error {
                message: format!("The code could not be checked: {reason}"),
                ..Error::unavailable(reason)
            },
        })
    }

    /// What is wrong with a function's new version, where the interpreter is asked only when it is deployed: what was in
    /// force before still is. What else goes wrong is told once the change is stored.
    pub(crate) async fn refusal(&self, after: &Function) -> Option<CodeFault> {
        self.runtime.deploy(after).await.ok().and_then(Result::err)
    }

    /// Uploads the source of a version whose number is not yet taken.
    pub(crate) async fn save(
        &self,
        id: FunctionId,
        version: u32,
        source: Source,
    ) -> Result<(Version, Upload)> {
        let Source { language, checked: Checked { module, handler }, code } = source;
        let code_sha256 = sha256(&code);
        // A place of its own, so that no other version's code goes with it.
        let place: [u8; 8] = self.random.bytes();
        let code_key = format!("code/{id}/{code_sha256}-{:016x}", u64::from_be_bytes(place));
        let code_size = code.len();
        let kept: Arc<str> = code.as_str().into();
        let created_at = self.clock.now();
        let upload = self.store.upload(vec![(code_key.clone(), code.into())], false, created_at).await?;
        // Whoever saves code is shown it.
        self.known.insert(code_key.clone(), kept);
        let version = Version {
            function_id: id,
            version,
            language,
            module,
            handler,
            code_key,
            code_sha256,
            code_size,
            created_at,
        };
        Ok((version, upload))
    }
}

/// Code that has been found to compile and to have a handler.
pub(crate) struct Source {
    pub(crate) language: Language,
    pub(crate) checked: Checked,
    pub(crate) code: String,
}

/// A fault of the code, as one of the input's.
pub(crate) fn at_fault(fault: CodeFault) -> Fault {
    Fault::new(Attribute::Code, Rule::Code(fault))
}
