//! What runs user code, on Lambda: one Lambda function per function of a user, so that Lambda keeps tenants apart as it
//! keeps its own customers apart.
//!
//! A [`Version`](domain::Version) with its [`Settings`](domain::Settings) is a *release*: an immutable version of
//! Lambda's, published under an alias that is made of what the release is made of. An invocation names the alias,
//! and deploys the release where it isn't there: on the first call after a rollback, new settings, or an update of the
//! platform's own shim; after somebody deleted the function; for a job that waited while newer code was saved.
//!
//! User code runs as a role that may do nothing. It therefore writes no logs to CloudWatch and Lambda makes no log group for
//! it: what it prints comes back in the envelope, and [`remove`](ports::Runtime::remove) has no log group to remove.
//!
//! How many run at once is the account's concurrency. Where that is used up Lambda says so, and an invocation waits for
//! as long as its `patience` says.
//!
//! Lambda takes 6 MB and answers 6 MB. Events came in by that way already, and large results come packed; what still
//! doesn't fit fails the run with an error that says so. See [`invoke`](self) for why it doesn't go through S3.
//!
//! Between publishing a release and giving it its alias, its shim is asked to compile the code, which it doesn't run. What
//! it refuses gets no alias, and is withdrawn.
//!
//! Needs of IAM, on functions that begin with the prefix: to invoke `lambda:InvokeFunction`; to deploy (and so to
//! invoke what isn't there) that and `lambda:GetFunctionConfiguration`, `CreateFunction`, `UpdateFunctionCode`,
//! `UpdateFunctionConfiguration`, `PublishVersion`, `CreateAlias`, `UpdateAlias`, `ListAliases`, `DeleteAlias`,
//! `DeleteFunction`, `iam:PassRole` on the execution role, and `s3:GetObject`, `s3:PutObject` on `code/*`; to remove
//! `lambda:DeleteFunction` and `s3:DeleteObject` on `code/*`.

mod deploy;
mod invoke;
mod outcome;
mod package;
mod release;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_lambda::Client;
use domain::function::{Checked, CodeFault};
use domain::job::Outcome;
use domain::{Function, FunctionId, Language, Settings, Version};
use ports::{Blobs, Draft, Invocation, Runtime, RuntimeError};
use runtime::check::{self, Parser, guess, without_mark};

use self::deploy::{Trouble, backoff, trouble, until_done};
use self::package::Package;
use self::release::Release;
use crate::retry::code;

/// Where functions are deployed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The bucket behind the blob store: Lambda fetches packages from it.
    pub code_bucket: String,
    /// What the name of every Lambda function begins with; the function's id follows.
    pub function_name_prefix: String,
    /// The role that user code runs as.
    pub execution_role_arn: String,
}

/// [`Runtime`] on Lambda.
#[derive(Clone)]
pub struct LambdaRuntime {
    client: Client,
    deployment: Deployment,
    blobs: Arc<dyn Blobs>,
    parser: Parser,
}

impl LambdaRuntime {
    /// Deploys to there. `blobs` is the bucket that `deployment` names: sources are read from it, packages put in it.
    pub fn new(sdk: &SdkConfig, deployment: Deployment, blobs: Arc<dyn Blobs>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(20))
            .build();
        // Tried again here, where it is known what may be tried again.
        let config = aws_sdk_lambda::config::Builder::from(sdk)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .build();
        Self::from_client(Client::from_conf(config), deployment, blobs)
    }

    /// The same, with this program to read code in place of this process's own.
    #[must_use]
    pub fn with_parser(self, program: &std::path::Path) -> Self {
        Self { parser: Parser::new(program), ..self }
    }

    /// The client must not try again by itself.
    fn from_client(client: Client, deployment: Deployment, blobs: Arc<dyn Blobs>) -> Self {
        // What this program is, whatever becomes of its file.
        Self { client, deployment, blobs, parser: Parser::new("/proc/self/exe") }
    }

    fn function_name(&self, id: FunctionId) -> String {
        format!("{}{id}", self.deployment.function_name_prefix)
    }

    fn release<'a>(&'a self, version: &'a Version, settings: &'a Settings) -> Release<'a> {
        Release {
            function_name: self.function_name(version.function_id),
            version,
            settings,
            role: &self.deployment.execution_role_arn,
        }
    }

    /// Deploys the release, whatever is there. The fault is the code's.
    async fn deploy_release(&self, release: &Release<'_>) -> Result<Result<(), CodeFault>, RuntimeError> {
        let version = release.version;
        let unreadable = |error| failed("The function's code could not be read; try again", error);
        let source = self.blobs.get(&version.code_key).await.map_err(unreadable)?.ok_or_else(|| {
            failed(&format!("The code of version {} is gone", version.version), &version.code_key)
        })?;
        let files = runtime::package::lambda_files(version.module, &version.handler, &source);
        let package =
            Package::new(files).map_err(|error| failed("The function's code can't be zipped", error))?;
        let stored = self.blobs.put(&package.key(version.function_id), package.bytes.clone()).await;
        stored.map_err(|error| failed("The function's code could not be stored; try again", error))?;
        self.publish(release, &package, &String::from_utf8_lossy(&source)).await
    }
}

#[async_trait]
impl Runtime for LambdaRuntime {
    /// Its interpreter can be asked only once the code is deployed. Until then the parser says what it can.
    async fn check(&self, draft: Draft<'_>) -> Result<Result<Checked, CodeFault>, RuntimeError> {
        let source = without_mark(draft.code);
        let readings = self.parser.read(interpreter(draft.language), source).await;
        let readings = readings.map_err(|error| failed("The code could not be checked; try again", error))?;
        Ok(guess(source, readings.as_deref()))
    }

    async fn deploy(&self, function: &Function) -> Result<Result<(), CodeFault>, RuntimeError> {
        let release = self.release(&function.current, &function.settings);
        if matches!(self.is_deployed(&release).await, Ok(true)) {
            return Ok(Ok(()));
        }
        self.deploy_release(&release).await
    }

    async fn invoke(&self, invocation: Invocation) -> Result<Outcome, RuntimeError> {
        self.invoke_release(&invocation).await
    }

    async fn remove(&self, function_id: FunctionId) -> Result<(), RuntimeError> {
        let name = self.function_name(function_id);
        until_done(&mut backoff(), || async {
            match self.client.delete_function().function_name(&name).send().await {
                Ok(_) => Ok(Some(())),
                Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(Some(())),
                Err(error) => Err(trouble(error)),
            }
        })
        .await?;
        let removed = self.blobs.delete_prefix(&package::prefix(function_id)).await;
        removed.map_err(|error| failed("The function's code could not be removed; try again", error))
    }

    /// Asks for a function that isn't there: an answer is all that is wanted of Lambda.
    async fn health(&self) -> Result<String, RuntimeError> {
        match self.configuration(&format!("{}health", self.deployment.function_name_prefix), None).await {
            Ok(_) => {
                let [python, node] = [Language::Python, Language::Nodejs].map(interpreter);
                Ok(format!("lambda; {python}; {node}"))
            }
            Err(Trouble::Passing(reason) | Trouble::Lasting(_, reason)) => {
                Err(failed("AWS Lambda can't be reached", reason))
            }
        }
    }
}

/// What user code runs on; see [`Release::runtime`](release::Release::runtime).
fn interpreter(language: Language) -> check::Version {
    let (major, minor) = match language {
        Language::Python => (3, 13),
        Language::Nodejs => (22, 0),
    };
    check::Version { language, major, minor }
}

/// A fault whose text an owner may read. The reason, which names accounts and roles, is only logged.
fn failed(told: &str, reason: impl std::fmt::Display) -> RuntimeError {
    tracing::error!(%reason, "{told}");
    RuntimeError::Failed(told.to_owned())
}
