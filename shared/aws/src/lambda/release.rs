//! A release: one version's code with one set of settings, published on Lambda as an immutable version under an alias.

use std::collections::HashMap;

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::{Architecture, Environment, Runtime};
use domain::function::Module;
use domain::{Settings, Version};
use sha2::{Digest, Sha256};

use super::package::hex;

/// What user code runs on. Graviton: a fifth cheaper than x86 for the same memory and time.
pub(super) const ARCHITECTURE: Architecture = Architecture::Arm64;

/// The longest that a run lasts, in seconds: less than a worker lives, which is a Lambda function too
/// (docs/adr/0008-runs-on-aws-last-840-seconds-at-most.md).
const LONGEST_RUN: u32 = 840;

/// How long a run may take, in seconds.
pub(super) fn run_seconds(settings: &Settings) -> u32 {
    settings.timeout_seconds.min(LONGEST_RUN)
}

/// What a release is made of.
#[derive(Clone, Debug)]
pub(super) struct Release<'a> {
    /// The name of the Lambda function.
    pub(super) function_name: String,
    pub(super) version: &'a Version,
    pub(super) settings: &'a Settings,
    /// The role that it runs as.
    pub(super) role: &'a str,
}

impl Release<'_> {
    /// The alias: the version's number for people, and a hash of everything that makes the release what it is. So an
    /// invocation knows the alias without asking, and new settings, or a new shim after an update of the platform, are
    /// another release, which is deployed when it is first called.
    pub(super) fn alias(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update(text.len().to_le_bytes());
            hash.update(text);
        };
        add(&self.version.code_sha256);
        add(self.runtime().as_str());
        add(self.handler());
        add(self.role);
        add(ARCHITECTURE.as_str());
        add(&self.settings.memory_mb.to_string());
        add(&run_seconds(self.settings).to_string());
        for (name, value) in &self.settings.environment {
            add(name);
            add(value);
        }
        // The shim: all that is packed but the source.
        for (name, bytes) in runtime::package::lambda_files(self.version.module, &self.version.handler, b"") {
            add(name);
            add(&String::from_utf8_lossy(&bytes));
        }
        format!("v{}-{}", self.version.version, &hex(&hash.finalize())[..24])
    }

    pub(super) fn runtime(&self) -> Runtime {
        match self.version.module {
            Module::Python => Runtime::Python313,
            Module::CommonJs | Module::Esm => Runtime::Nodejs22x,
        }
    }

    pub(super) fn handler(&self) -> &'static str {
        runtime::package::lambda_handler(self.version.language)
    }

    /// MiB, in Lambda's type.
    pub(super) fn memory(&self) -> i32 {
        i32::try_from(self.settings.memory_mb).unwrap_or(i32::MAX)
    }

    /// Seconds, in Lambda's type.
    pub(super) fn timeout(&self) -> i32 {
        i32::try_from(run_seconds(self.settings)).unwrap_or(i32::MAX)
    }

    pub(super) fn environment(&self) -> Environment {
        Environment::builder().set_variables(Some(self.variables())).build()
    }

    fn variables(&self) -> HashMap<String, String> {
        self.settings.environment.clone().into_iter().collect()
    }

    /// Whether what Lambda has is configured as this release wants it.
    pub(super) fn is_configured(&self, there: &GetFunctionConfigurationOutput) -> bool {
        let variables = there.environment().and_then(|environment| environment.variables().cloned());
        there.runtime() == Some(&self.runtime())
            && there.handler() == Some(self.handler())
            && there.role() == Some(self.role)
            && there.memory_size() == Some(self.memory())
            && there.timeout() == Some(self.timeout())
            && variables.unwrap_or_default() == self.variables()
    }
}
