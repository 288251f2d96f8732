//! What a request costs on AWS: the calls that were recorded, and what is taken of the rest.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::cloud::Call;
use crate::prices::*;

/// How long a route's function is billed for, in seconds, but for what it waits for a user's code.
pub(crate) const ROUTE_SECONDS: f64 = 0.025;
/// The same where a password is hashed.
pub(crate) const PASSWORD_SECONDS: f64 = 0.125;
/// How long a user's code runs, in seconds.
pub(crate) const RUN_SECONDS: f64 = 0.1;
/// A user's function's memory, in GB: what it has where its owner does not say.
pub(crate) const RUN_GB: f64 = 0.25;
/// What a request or a message leaves in logs, in GB: Lambda's three lines, the route's own and the gateway's.
const LOGGED_GB: f64 = 1e-6;

/// What one request costs, in dollars, part by part.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bill {
    pub(crate) gateway: f64,
    pub(crate) lambda_requests: f64,
    pub(crate) lambda_seconds: f64,
    pub(crate) dynamodb: f64,
    pub(crate) s3: f64,
    pub(crate) sqs: f64,
    pub(crate) logs: f64,
}

impl Bill {
    /// A request through the gateway to a route with this memory (GB) that is busy this long (seconds), and its calls.
    pub(crate) fn route(gb: f64, seconds: f64, calls: &[Call]) -> Self {
        let mut bill = Self { gateway: GATEWAY_REQUEST, ..Self::default() };
        bill.function(gb, seconds, calls);
        bill
    }

    /// A function of the platform that does this, by whatever it was called.
    pub(crate) fn function(&mut self, gb: f64, seconds: f64, calls: &[Call]) {
        self.lambda_requests += LAMBDA_REQUEST;
        self.lambda_seconds += gb * seconds * LAMBDA_GB_SECOND;
        self.logs += LOGGED_GB * LOGS_GB;
        for call in calls {
            match (call.service, call.name.as_str()) {
                ("dynamodb", _) if call.is_read() => self.dynamodb += call.units * READ_UNIT,
                ("dynamodb", _) => self.dynamodb += call.units * WRITE_UNIT,
                ("s3", "PutObject") => self.s3 += S3_PUT,
                ("s3", _) => self.s3 += S3_GET,
                ("sqs", _) => self.sqs += SQS_REQUEST,
                ("lambda", "Invoke") => {
                    self.lambda_requests += LAMBDA_REQUEST;
                    self.lambda_seconds += RUN_GB * RUN_SECONDS * LAMBDA_GB_SECOND;
                }
                // Lambda's other operations cost nothing.
                ("lambda", _) => {}
                other => panic!("no price is known of {other:?}"),
            }
        }
    }

    /// All of it.
    pub(crate) fn total(&self) -> f64 {
        self.parts().iter().sum()
    }

    /// Its parts, in the order of [`PARTS`].
    pub(crate) fn parts(&self) -> [f64; 7] {
        let Self { gateway, lambda_requests, lambda_seconds, dynamodb, s3, sqs, logs } = *self;
        [gateway, lambda_requests, lambda_seconds, dynamodb, s3, sqs, logs]
    }
}

/// What the parts of a bill are called.
pub(crate) const PARTS: [&str; 7] =
    ["API Gateway", "Lambda requests", "Lambda GB-s", "DynamoDB", "S3", "SQS", "logs"];

/// Calls by operation: `GetItem, 2 PutItem`.
pub(crate) fn counted(calls: &[Call], services: &[&str]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for call in calls.iter().filter(|call| services.contains(&call.service)) {
        *counts.entry(&call.name).or_default() += 1;
    }
    let mut text = String::new();
    for (name, count) in counts {
        let separator = if text.is_empty() { "" } else { ", " };
        let times = if count > 1 { format!("{count} ") } else { String::new() };
        write!(text, "{separator}{times}{name}").unwrap();
    }
    text
}

/// DynamoDB's units: read and written.
pub(crate) fn units(calls: &[Call]) -> (f64, f64) {
    let sum = |reads: bool| {
        let dynamodb = calls.iter().filter(|call| call.service == "dynamodb" && call.is_read() == reads);
        dynamodb.fold(0.0, |sum, call| sum + call.units)
    };
    (sum(true), sum(false))
}
