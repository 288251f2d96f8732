//! The versions of functions, and their code.

use std::sync::Arc;

use domain::{
    Attribute, Error, Fault, Function, FunctionId, Language, Result, Rule, UserId, Version, limits,
};
use ports::Draft;
use store::{Listed, PageRequest};

use crate::digest::sha256;
use crate::request;

use super::{FunctionChanges, Functions};

/// How many versions are let go of in one write at most.
const FEWER_AT_ONCE: u32 = 20;

impl Functions {
    /// The source of a version.
    pub async fn code(&self, version: &Version) -> Result<Arc<str>> {
        self.code.of(version).await
    }

    /// Lets go of the oldest versions where there are more than are kept: some now, where there are many, and others with
    /// the next version.
    pub(super) fn keep_fewer_versions(&self, function: &mut Function) {
        let kept = self.most_versions.max(1);
        let oldest = (function.latest_version + 1).saturating_sub(kept);
        let most = function.oldest_version + FEWER_AT_ONCE;
        function.oldest_version = oldest.clamp(function.oldest_version, most);
    }

    /// Makes an older (or newer) version the one that runs. 404 if there is none of that number.
    pub async fn rollback(&self, caller: UserId, id: FunctionId, version: u32) -> Result<Function> {
        let before = self.get(caller, id).await?;
        if request::was_made() {
            return Ok(before);
        }
        let version = self.store.version(id, version).await?;
        let version = version.filter(|version| version.version >= before.oldest_version);
        let version = version.ok_or_else(|| Error::not_found("Version", "VERSION_NOT_FOUND"))?;
        let code = self.code.of(&version).await?;
        // It may have been saved when another interpreter was there.
        let draft = Draft { user_id: caller, language: version.language, code: &code, waits: true };
        let refused = self.code.verdict(draft).await?.err();
        let number = version.version;
        let mut after = before.clone();
        after.current = version;
        let refused = match refused {
            None if after.current != before.current => self.code.refusal(&after).await,
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
        let function = self.get(caller, id).await?;
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
                Ok(Some((language, self.code.of(current).await?.as_ref().to_owned())))
            }
            _ => Ok(None),
        }
    }
}
