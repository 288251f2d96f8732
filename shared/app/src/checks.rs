//! What is made of code before it is saved.

use domain::function::{Checked, CodeFault};
use domain::{Error, Fault, Function, Language, Result, UserId, limits};
use ports::{Draft, RuntimeError};

use crate::App;

impl App {
    /// Checks code, or adds what is wrong with it.
    pub(crate) async fn check(
        &self,
        user_id: Option<UserId>,
        language: Language,
        code: String,
        faults: &mut Vec<Fault>,
    ) -> Result<Option<Source>> {
        if code.len() > limits::CODE {
            let msg = format!("Code should have at most {} bytes, and has {}", limits::CODE, code.len());
            faults.push(Fault::new(["body", "code"], "string_too_long", msg));
            return Ok(None);
        }
        match self.verdict(user_id, language, &code).await? {
            Ok(checked) => Ok(Some(Source { language, checked, code })),
            Err(fault) => {
                faults.push(at_fault(&fault));
                Ok(None)
            }
        }
    }

    /// What the runtime says of code, of at most [`limits::CODE`] bytes.
    pub(crate) async fn verdict(
        &self,
        user_id: Option<UserId>,
        language: Language,
        code: &str,
    ) -> Result<Result<Checked, CodeFault>> {
        self.runtime.check(Draft { user_id, language, code }).await.map_err(|error| match error {
            RuntimeError::Busy { retry_after } => {
                Error::too_many(retry_after, "Too much code is being saved at once; try again in a moment")
            }
            RuntimeError::Failed(reason) => Error {
                message: format!("The code could not be checked: {reason}"),
                ..Error::unavailable(reason)
            },
        })
    }

    /// What is wrong with code that is not to be saved, since other things are wrong with the request.
    pub async fn code_faults(&self, language: Language, code: String) -> Vec<Fault> {
        let mut faults = Vec::new();
        // What can't be told now is told with the next request.
        if let Err(error) = self.check(None, language, code, &mut faults).await {
            tracing::debug!(%error, "code was not checked beside other faults");
        }
        faults
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

/// A fault of the code, as one of the request's.
pub(crate) fn at_fault(fault: &CodeFault) -> Fault {
    Fault::new(["body", "code"], "value_error", fault.to_string())
}
