//! What the environment says, read once, and the clients made of it.

use std::num::NonZeroU32;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use domain::limits::REGISTRATIONS_PER_SOURCE;

const QUOTAS: [&str; 3] = ["WORKSPACES_PER_USER", "FUNCTIONS_PER_USER", "VERSIONS_PER_FUNCTION"];

/// Where things are. Read once in `main`; a binary needs only what it uses, and [`Clients`] says what is missing.
///
/// Region and credentials come from Lambda (`AWS_REGION`, …); `AWS_ENDPOINT_URL` turns everything to an emulator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `TABLE_NAME`: the DynamoDB table.
    pub table_name: Option<String>,
    /// `CODE_BUCKET`: the S3 bucket that holds code and large payloads.
    pub code_bucket: Option<String>,
    /// `QUEUE_URL`: the job queue.
    pub queue_url: Option<String>,
    /// `DLQ_URL`: its dead letters.
    pub dlq_url: Option<String>,
    /// `FUNCTION_NAME_PREFIX`: what the name of every user's Lambda function begins with; the function's id follows.
    /// At most 28 of `[A-Za-z0-9_-]` (Lambda's limit is 64, an id takes 36).
    pub function_name_prefix: Option<String>,
    /// `EXECUTION_ROLE_ARN`: the role that user code runs as. It has no permissions.
    pub execution_role_arn: Option<String>,
    /// `CONNECTIONS_URL`: the stage of the WebSocket API, as its management API is called; absent where there is none.
    pub connections_url: Option<String>,
    /// `TOKEN_SECRET_ID`: the secret in Secrets Manager that tokens are signed with.
    pub token_secret_id: Option<String>,
    /// `PUBLIC_URL`: where callers reach the platform, if requests don't tell: behind a CDN that sends another `Host`.
    pub public_url: Option<String>,
    /// `ENVIRONMENT`: the name of the deployment, such as `prod`.
    pub environment: Option<String>,
    /// `REGISTRATIONS_PER_SOURCE`: how many users one address may register in five minutes; 0 for any number.
    pub registrations_per_source: Option<String>,
    /// `WORKSPACES_PER_USER`, `FUNCTIONS_PER_USER`, `VERSIONS_PER_FUNCTION`: how much of each one user may have, where
    /// that is not the usual.
    pub quotas: [Option<String>; 3],
    /// `WARM_UP`: which parts (`table`, `runtime`) are asked something before the first request, so that connections
    /// are there when it comes.
    pub warm_up: Vec<String>,
    /// Whether S3 is asked for `host/bucket/key`, not `bucket.host/key`: so where an endpoint was set, since an
    /// emulator has no name per bucket.
    pub s3_path_style: bool,
    /// The program that reads code, where it isn't this one: one that calls `runtime::check::answer_if_asked` first.
    pub parser: Option<std::path::PathBuf>,
}

/// A setting is missing or makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It isn't there.
    #[error("{0} is not set: set it in the environment (the SAM template does)")]
    Missing(&'static str),
    /// It can't be right.
    #[error("{name} is wrong: {reason}")]
    Wrong {
        /// Which.
        name: &'static str,
        /// Why.
        reason: String,
    },
}

impl Config {
    /// Reads the process's environment.
    pub fn from_env() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// How many users one address may register in five minutes.
    pub fn registrations_per_source(&self) -> Result<u64, ConfigError> {
        let Some(text) = &self.registrations_per_source else { return Ok(REGISTRATIONS_PER_SOURCE) };
        text.parse().map_err(|_| ConfigError::Wrong {
            name: "REGISTRATIONS_PER_SOURCE",
            reason: format!("{text:?} must be a whole number, 0 for no limit"),
        })
    }

    /// How many workspaces, functions and versions of a function one user may have, where that is not the usual.
    pub fn quotas(&self) -> Result<[Option<u32>; 3], ConfigError> {
        let mut quotas = [None; 3];
        for ((quota, name), text) in quotas.iter_mut().zip(QUOTAS).zip(&self.quotas) {
            let Some(text) = text else { continue };
            let most: NonZeroU32 = text.parse().map_err(|_| ConfigError::Wrong {
                name,
                reason: format!("{text:?} must be a whole number, 1 or more"),
            })?;
            *quota = Some(most.get());
        }
        Ok(quotas)
    }

    /// Reads variables by name. One that is empty counts as absent.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let read = |name: &str| variable(name).filter(|value| !value.is_empty());
        let list = |name: &str| {
            let items = read(name).unwrap_or_default();
            let items = items.split(',').map(|item| item.trim().to_owned());
            items.filter(|item| !item.is_empty()).collect::<Vec<_>>().into_iter()
        };
        Self {
            table_name: read("TABLE_NAME"),
            code_bucket: read("CODE_BUCKET"),
            queue_url: read("QUEUE_URL"),
            dlq_url: read("DLQ_URL"),
            function_name_prefix: read("FUNCTION_NAME_PREFIX"),
            execution_role_arn: read("EXECUTION_ROLE_ARN"),
            connections_url: read("CONNECTIONS_URL"),
            token_secret_id: read("TOKEN_SECRET_ID"),
            public_url: read("PUBLIC_URL"),
            environment: read("ENVIRONMENT"),
            registrations_per_source: read("REGISTRATIONS_PER_SOURCE"),
            quotas: QUOTAS.map(read),
            warm_up: list("WARM_UP").collect(),
            s3_path_style: read("AWS_ENDPOINT_URL").is_some(),
            parser: None,
        }
    }
}

/// Makes the adapters. One per process: the SDK's connections and credentials are shared by all that it makes.
#[derive(Clone, Debug)]
pub struct Clients {
    config: Config,
    sdk: SdkConfig,
}

impl Clients {
    /// Reads the environment as Lambda makes it: region and credentials are in variables. The SDK would look for them in
    /// a dozen places more, with clients for three services of their own, which a binary then carries into every start.
    pub fn from_env() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        let credentials = EnvironmentVariableCredentialsProvider::new();
        let mut sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(SharedCredentialsProvider::new(credentials));
        sdk.set_region(variable("AWS_REGION").map(Region::new))
            .set_endpoint_url(variable("AWS_ENDPOINT_URL"));
        Self::new(Config::from_env(), sdk.build())
    }

    /// Of settings read already.
    pub fn new(config: Config, sdk: SdkConfig) -> Self {
        Self { config, sdk }
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the SDK itself is told.
    pub fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// All the ports: what a process that runs jobs needs.
    #[cfg(all(
        feature = "connections",
        feature = "dynamodb",
        feature = "lambda",
        feature = "s3",
        feature = "sqs"
    ))]
    pub fn parts(&self) -> Result<ports::Parts, ConfigError> {
        use std::sync::Arc;
        let blobs: Arc<dyn ports::Blobs> = Arc::new(self.blobs()?);
        Ok(ports::Parts {
            table: Arc::new(self.table()?),
            runtime: Arc::new(self.runtime(blobs.clone())?),
            blobs,
            queue: Arc::new(self.queue()?),
            connections: self.connections(),
            clock: Arc::new(ports::clock::SystemClock),
        })
    }

    /// The open WebSockets: none without `CONNECTIONS_URL`.
    #[cfg(feature = "connections")]
    pub fn connections(&self) -> std::sync::Arc<dyn ports::Connections> {
        match &self.config.connections_url {
            Some(url) => std::sync::Arc::new(crate::ApiGatewayConnections::new(&self.sdk, url)),
            None => std::sync::Arc::new(ports::connections::NoConnections),
        }
    }

    /// The table. Needs `TABLE_NAME`.
    #[cfg(feature = "dynamodb")]
    pub fn table(&self) -> Result<crate::DynamoDbTable, ConfigError> {
        Ok(crate::DynamoDbTable::new(&self.sdk, required(&self.config.table_name, "TABLE_NAME")?))
    }

    /// The blob store. Needs `CODE_BUCKET`.
    #[cfg(feature = "s3")]
    pub fn blobs(&self) -> Result<crate::S3Blobs, ConfigError> {
        let bucket = required(&self.config.code_bucket, "CODE_BUCKET")?;
        Ok(crate::S3Blobs::new(&self.sdk, bucket, self.config.s3_path_style))
    }

    /// The job queue. Needs `QUEUE_URL` and `DLQ_URL`.
    #[cfg(feature = "sqs")]
    pub fn queue(&self) -> Result<crate::SqsQueue, ConfigError> {
        let queue_url = required(&self.config.queue_url, "QUEUE_URL")?;
        Ok(crate::SqsQueue::new(&self.sdk, queue_url, required(&self.config.dlq_url, "DLQ_URL")?))
    }

    /// What runs user code. Needs `CODE_BUCKET`, `FUNCTION_NAME_PREFIX` and `EXECUTION_ROLE_ARN`; `blobs` is that
    /// bucket.
    #[cfg(feature = "lambda")]
    pub fn runtime(
        &self,
        blobs: std::sync::Arc<dyn ports::Blobs>,
    ) -> Result<crate::LambdaRuntime, ConfigError> {
        let prefix = required(&self.config.function_name_prefix, "FUNCTION_NAME_PREFIX")?;
        if prefix.len() > 28 || !prefix.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        {
            return Err(ConfigError::Wrong {
                name: "FUNCTION_NAME_PREFIX",
                reason: format!("{prefix:?} must be at most 28 letters, digits, _ or -"),
            });
        }
        let deployment = crate::lambda::Deployment {
            code_bucket: required(&self.config.code_bucket, "CODE_BUCKET")?,
            function_name_prefix: prefix,
            execution_role_arn: required(&self.config.execution_role_arn, "EXECUTION_ROLE_ARN")?,
        };
        let runtime = crate::LambdaRuntime::new(&self.sdk, deployment, blobs);
        Ok(match &self.config.parser {
            Some(program) => runtime.with_parser(program),
            None => runtime,
        })
    }
}

#[cfg(any(feature = "dynamodb", feature = "s3", feature = "sqs", feature = "lambda"))]
fn required(setting: &Option<String>, name: &'static str) -> Result<String, ConfigError> {
    setting.clone().ok_or(ConfigError::Missing(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Config {
        Config::from_variables(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn an_endpoint_of_ones_own_means_path_style() {
        assert!(!config(&[("AWS_ENDPOINT_URL", "")]).s3_path_style);
        assert!(config(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")]).s3_path_style);
    }

    #[test]
    fn registrations_are_limited_unless_they_are_not() {
        let limit = |text| config(&[("REGISTRATIONS_PER_SOURCE", text)]).registrations_per_source();
        assert_eq!((limit(""), limit("0"), limit("7")), (Ok(300), Ok(0), Ok(7)));
        assert!(limit("many").is_err_and(|error| error.to_string().contains("REGISTRATIONS_PER_SOURCE")));
    }

    #[test]
    fn quotas_are_numbers_above_nothing() {
        let set = config(&[("WORKSPACES_PER_USER", "7"), ("FUNCTIONS_PER_USER", "")]);
        assert_eq!(set.quotas(), Ok([Some(7), None, None]));
        for name in QUOTAS {
            for wrong in ["0", "1k", "-1", "many"] {
                let error = config(&[(name, wrong)]).quotas().unwrap_err().to_string();
                assert!(error.contains(name) && error.contains(wrong), "{error}");
            }
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let sdk = SdkConfig::builder().build();
        let clients =
            Clients::new(config(&[("TABLE_NAME", "t"), ("QUEUE_URL", "q"), ("CODE_BUCKET", "")]), sdk);
        assert_eq!(clients.blobs().err(), Some(ConfigError::Missing("CODE_BUCKET")));
        assert_eq!(clients.queue().err(), Some(ConfigError::Missing("DLQ_URL")));
    }
}
