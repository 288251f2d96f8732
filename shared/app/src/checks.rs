//! What is made of code before it is saved.

use domain::fault::Content;
use domain::function::{Checked, CodeFault};
use domain::{Attribute, Error, Fault, Function, Language, Result, Rule, UserId, limits};
use ports::{Draft, RuntimeError};

use crate::App;

impl App {
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
    pub async fn code_faults(&self, user_id: UserId, language: Language, code: &str) -> Option<Fault> {
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
