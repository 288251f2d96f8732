//! The versions of functions, and their code.

use std::sync::Arc;

use domain::function::Checked;
use domain::{
    Attribute, Error, Fault, Function, FunctionId, Language, Result, Rule, UserId, Version, limits,
};
use ports::Draft;
use store::uploads::Upload;

use crate::checks::Source;
use crate::{App, Listed, PageRequest, request, sha256};

use super::FunctionChanges;

/// How many versions are let go of in one write at most.
const FEWER_AT_ONCE: u32 = 20;

impl App {
    /// The source of a version.
    pub async fn code(&self, version: &Version) -> Result<Arc<str>> {
        if let Some(code) = self.code.get(&version.code_key) {
            return Ok(code);
        }
        let bytes = self.store.blobs().get(&version.code_key).await?;
        let bytes = bytes.ok_or_else(|| Error::internal(format!("the blob {} is gone", version.code_key)))?;
        let code: Arc<str> = String::from_utf8(bytes.into()).map_err(Error::internal)?.into();
        self.code.insert(version.code_key.clone(), code.clone());
        Ok(code)
    }

    /// Lets go of the oldest versions where there are more than are kept: some now, where there are many, and others with
    /// the next version.
    pub(super) fn keep_fewer_versions(&self, function: &mut Function) {
        let kept = self.config.quotas.versions.max(1);
        let oldest = (function.latest_version + 1).saturating_sub(kept);
        let most = function.oldest_version + FEWER_AT_ONCE;
        function.oldest_version = oldest.clamp(function.oldest_version, most);
    }

    /// Makes an older (or newer) version the one that runs. 404 if there is none of that number.
    pub async fn rollback(&self, caller: UserId, id: FunctionId, version: u32) -> Result<Function> {
        let before = self.function(caller, id).await?;
        if request::was_made() {
            return Ok(before);
        }
        let version = self.store.version(id, version).await?;
        let version = version.filter(|version| version.version >= before.oldest_version);
        let version = version.ok_or_else(|| Error::not_found("Version", "VERSION_NOT_FOUND"))?;
        let code = self.code(&version).await?;
        // It may have been saved when another interpreter was there.
        let refused = self
            .verdict(Draft { user_id: caller, language: version.language, code: &code, waits: true })
            .await?
            .err();
        let number = version.version;
        let mut after = before.clone();
        after.current = version;
        let refused = match refused {
            None if after.current != before.current => self.refusal(&after).await,
            refused => refused,
        };
        if let Some(fault) = refused {
            let rule = Rule::VersionCode { version: number, fault };
            return Err(Error::invalid(vec![Fault::new(Attribute::Version, rule)]));
        }
        self.store_changed(before, after, None).await
    }

    /// A function's versions, newest first; as many as their code fits a page.
    pub async fn versions(
        &self,
        caller: UserId,
        id: FunctionId,
        page: PageRequest,
    ) -> Result<Listed<Version>> {
        let function = self.function(caller, id).await?;
        Ok(self
            .store
            .versions(&function, page)
            .await?
            .within(limits::PAGE_BYTES, |version| version.code_size))
    }

    /// What a change makes of the code: a change of runtime alone is one of the code's meaning.
    pub(super) async fn changed_code(
        &self,
        before: &Function,
        changes: &FunctionChanges,
    ) -> Result<Option<(Language, String)>> {
        let current = &before.current;
        let language = changes.language.unwrap_or(current.language);
        match &changes.code {
            Some(code) if language != current.language || sha256(code) != current.code_sha256 => {
                Ok(Some((language, code.clone())))
            }
            None if language != current.language => {
                Ok(Some((language, self.code(current).await?.as_ref().to_owned())))
            }
            _ => Ok(None),
        }
    }

    /// Uploads the source of a version whose number is not yet taken.
    pub(super) async fn save_code(
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
        self.code.insert(code_key.clone(), kept);
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
