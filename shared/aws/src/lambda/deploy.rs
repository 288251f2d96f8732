//! Deploying a release: looks at what Lambda has, makes one step towards what is wanted, and looks again. So it goes on
//! from wherever a crash, a throttle or another deployment of the same function has left it.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::{FunctionCode, LastUpdateStatus, State};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use domain::function::CodeFault;
use ports::RuntimeError;

use super::package::Package;
use super::release::{ARCHITECTURE, Release};
use super::{LambdaRuntime, failed};
use crate::retry::{Backoff, Fate, code, describe, fate};

/// How long a deployment may take. Lambda needs a second or two; more where it is throttled.
const TIME: Duration = Duration::from_secs(60);
/// How many releases of a function stay deployed: the newest. An older one that is called is deployed again. They count
/// against the account's code storage (75 GB).
const KEPT_RELEASES: usize = 5;

/// Waits between two looks.
pub(super) fn backoff() -> Backoff {
    Backoff::new(Duration::from_millis(100), Duration::from_secs(2), TIME)
}

/// Why a step wasn't made. The reasons are for the log: they name accounts and roles.
pub(super) enum Trouble {
    /// It may be, a little later.
    Passing(String),
    /// It can't be; what the function's owner is told, and the reason.
    Lasting(&'static str, String),
}

/// What a step led to.
enum Step {
    /// Nearer. Look again.
    Made,
    /// Published as this version of Lambda's.
    Published(String),
}

impl LambdaRuntime {
    /// Whether the release is there and can be called.
    pub(super) async fn is_deployed(&self, release: &Release<'_>) -> Result<bool, Trouble> {
        let there = self.configuration(&release.function_name, Some(release.alias())).await?;
        Ok(there.is_some_and(|there| is_settled(&there).is_ok()))
    }

    /// Deploys the release from its package, which lies in the blob store already, and is made of `source`. If that can't
    /// be compiled, says why, and nothing is called that wasn't before.
    pub(super) async fn publish(
        &self,
        release: &Release<'_>,
        package: &Package,
        source: &str,
    ) -> Result<Result<(), CodeFault>, RuntimeError> {
        let mut backoff = backoff();
        let version = until_done(&mut backoff, || async {
            match self.step(release, package).await? {
                Step::Published(version) => Ok(Some(version)),
                Step::Made => Ok(None),
            }
        })
        .await?;
        until_done(&mut backoff, || async {
            let there = self.configuration(&release.function_name, Some(version.clone())).await?;
            let there = there.ok_or_else(|| Trouble::Passing("the new version can't be seen yet".into()))?;
            is_settled(&there).map(Some)
        })
        .await?;
        if let Some(fault) = self.compile(release, &version, source).await? {
            self.withdraw(&release.function_name, &version).await;
            return Ok(Err(fault));
        }
        until_done(&mut backoff, || async { self.point_alias(release, &version).await.map(Some) }).await?;
        if let Err(Trouble::Passing(reason) | Trouble::Lasting(_, reason)) =
            self.prune(&release.function_name).await
        {
            // They are in nobody's way; the next deployment tries again.
            tracing::warn!(function = release.function_name, reason, "old releases were left deployed");
        }
        Ok(Ok(()))
    }

    /// Removes a version that nothing is to call.
    async fn withdraw(&self, function: &str, version: &str) {
        let request = self.client.delete_function().function_name(function).qualifier(version);
        if let Err(error) = request.send().await {
            // It is in nobody's way: it goes with the function.
            tracing::warn!(
                function,
                version,
                reason = describe(&error),
                "a refused version was left deployed"
            );
        }
    }

    /// Looks, and makes one step.
    async fn step(&self, release: &Release<'_>, package: &Package) -> Result<Step, Trouble> {
        let Some(there) = self.configuration(&release.function_name, None).await? else {
            return self.create(release, package).await;
        };
        let name = &release.function_name;
        // What was seen must still be so when the step is made; Lambda refuses it otherwise.
        let revision = there.revision_id.clone();
        let settled = is_settled(&there);
        if let Err(passing @ Trouble::Passing(_)) = settled {
            return Err(passing);
        }
        let sha256 = package.sha256_base64();
        if there.code_sha256() != Some(sha256.as_str()) || there.architectures() != [ARCHITECTURE] {
            let request = self
                .client
                .update_function_code()
                .function_name(name)
                .s3_bucket(&self.deployment.code_bucket)
                .s3_key(package.key(release.version.function_id))
                .architectures(ARCHITECTURE)
                .set_revision_id(revision);
            request.send().await.map_err(trouble)?;
            return Ok(Step::Made);
        }
        if !release.is_configured(&there) {
            let request = self
                .client
                .update_function_configuration()
                .function_name(name)
                .runtime(release.runtime())
                .handler(release.handler())
                .role(release.role)
                .memory_size(release.memory())
                .timeout(release.timeout())
                .environment(release.environment())
                .set_revision_id(revision);
            request.send().await.map_err(trouble)?;
            return Ok(Step::Made);
        }
        // All is as wanted: if Lambda could not make it work, it can't.
        settled?;
        let request =
            self.client.publish_version().function_name(name).code_sha256(sha256).set_revision_id(revision);
        let published = request.send().await.map_err(trouble)?;
        published
            .version
            .map(Step::Published)
            .ok_or_else(|| Trouble::Passing("PublishVersion named no version".into()))
    }

    async fn create(&self, release: &Release<'_>, package: &Package) -> Result<Step, Trouble> {
        let code = FunctionCode::builder()
            .s3_bucket(&self.deployment.code_bucket)
            .s3_key(package.key(release.version.function_id))
            .build();
        let request = self
            .client
            .create_function()
            .function_name(&release.function_name)
            .description("A function of a user of Function Runner")
            .code(code)
            .architectures(ARCHITECTURE)
            .runtime(release.runtime())
            .handler(release.handler())
            .role(release.role)
            .memory_size(release.memory())
            .timeout(release.timeout())
            .environment(release.environment());
        request.send().await.map_err(trouble)?;
        Ok(Step::Made)
    }

    async fn point_alias(&self, release: &Release<'_>, version: &str) -> Result<(), Trouble> {
        let (function, alias) = (&release.function_name, release.alias());
        let request =
            self.client.create_alias().function_name(function).name(&alias).function_version(version);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == Some("ResourceConflictException") => {
                let request = self.client.update_alias().function_name(function).name(&alias);
                request.function_version(version).send().await.map(drop).map_err(trouble)
            }
            Err(error) => Err(trouble(error)),
        }
    }

    /// Removes all releases but the newest. Several aliases can stand for one version: of the same code saved twice.
    async fn prune(&self, function: &str) -> Result<(), Trouble> {
        let answer = self.client.list_aliases().function_name(function).send().await.map_err(trouble)?;
        let mut releases: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for alias in answer.aliases.unwrap_or_default() {
            if let (Some(version), Some(name)) = (alias.function_version, alias.name)
                && let Ok(version) = version.parse()
            {
                releases.entry(version).or_default().push(name);
            }
        }
        for (version, aliases) in releases.into_iter().rev().skip(KEPT_RELEASES) {
            for alias in aliases {
                let request = self.client.delete_alias().function_name(function).name(alias);
                request.send().await.map_err(trouble)?;
            }
            let request =
                self.client.delete_function().function_name(function).qualifier(version.to_string());
            request.send().await.map_err(trouble)?;
        }
        Ok(())
    }

    /// What Lambda has: of a version or alias, or of what is published next.
    pub(super) async fn configuration(
        &self,
        function: &str,
        qualifier: Option<String>,
    ) -> Result<Option<GetFunctionConfigurationOutput>, Trouble> {
        let request =
            self.client.get_function_configuration().function_name(function).set_qualifier(qualifier);
        match request.send().await {
            Ok(there) => Ok(Some(there)),
            Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(trouble(error)),
        }
    }
}

/// Whether what Lambda has is at rest, and works.
fn is_settled(there: &GetFunctionConfigurationOutput) -> Result<(), Trouble> {
    let failed = |reason: Option<&str>| {
        Trouble::Lasting("AWS Lambda could not set the function up", reason.unwrap_or_default().to_owned())
    };
    if there.state() == Some(&State::Pending)
        || there.last_update_status() == Some(&LastUpdateStatus::InProgress)
    {
        return Err(Trouble::Passing("AWS Lambda is still setting the function up".into()));
    }
    if there.state() == Some(&State::Failed) {
        return Err(failed(there.state_reason()));
    }
    if there.last_update_status() == Some(&LastUpdateStatus::Failed) {
        return Err(failed(there.last_update_status_reason()));
    }
    Ok(())
}

/// Tries until there is a result, with waits between tries that were in vain.
pub(super) async fn until_done<T, F>(
    backoff: &mut Backoff,
    mut attempt: impl FnMut() -> F,
) -> Result<T, RuntimeError>
where
    F: Future<Output = Result<Option<T>, Trouble>>,
{
    loop {
        let reason = match attempt().await {
            Ok(Some(done)) => return Ok(done),
            Ok(None) => "AWS Lambda is still setting the function up".to_owned(),
            Err(Trouble::Passing(reason)) => reason,
            Err(Trouble::Lasting(told, reason)) => return Err(failed(told, reason)),
        };
        if !backoff.wait().await {
            return Err(failed("AWS Lambda did not set the function up in time; try again", reason));
        }
    }
}

/// Whether another try may go better.
pub(super) fn trouble<E>(error: SdkError<E, HttpResponse>) -> Trouble
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let text = describe(&error);
    if fate(&error) != Fate::Refused {
        return Trouble::Passing(text);
    }
    match code(&error) {
        // Another deployment of it is under way, or was since we looked; or it was removed since.
        Some("ResourceConflictException" | "PreconditionFailedException" | "ResourceNotFoundException") => {
            Trouble::Passing(text)
        }
        // IAM takes some seconds to know a role that was just made.
        Some("InvalidParameterValueException") if text.contains("cannot be assumed") => {
            Trouble::Passing(text)
        }
        Some("CodeStorageExceededException") => Trouble::Lasting(
            "The platform has no room for more deployed code; its operator must make some",
            text,
        ),
        _ => Trouble::Lasting("AWS Lambda refused the function", text),
    }
}
