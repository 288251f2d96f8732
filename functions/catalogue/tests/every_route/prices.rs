//! What AWS asks for, in US dollars: list prices of us-east-1 as they were known on 2026-06-01, written down from AWS's
//! price pages (no machine asked them), without free tiers and savings plans.

/// API Gateway: a request to an HTTP API (each 512 KB of it), the first 300 million a month.
pub(crate) const GATEWAY_REQUEST: f64 = 1.00 / 1e6;
/// Lambda: a request.
pub(crate) const LAMBDA_REQUEST: f64 = 0.20 / 1e6;
/// Lambda on arm64: a GB for a second, the first 7.5 billion a month.
pub(crate) const LAMBDA_GB_SECOND: f64 = 0.000_013_333_4;
/// DynamoDB on demand, standard class: a read request unit (4 KB, consistent).
pub(crate) const READ_UNIT: f64 = 0.125 / 1e6;
/// DynamoDB on demand, standard class: a write request unit (1 KB; an item in a transaction takes two).
pub(crate) const WRITE_UNIT: f64 = 0.625 / 1e6;
/// S3 standard: PUT, COPY, POST, LIST.
pub(crate) const S3_PUT: f64 = 5.00 / 1e6;
/// S3 standard: GET and others.
pub(crate) const S3_GET: f64 = 0.40 / 1e6;
/// SQS, a standard queue: a request (each 64 KB of it). A fair queue costs the same.
pub(crate) const SQS_REQUEST: f64 = 0.40 / 1e6;
/// CloudWatch Logs: a GB taken in, standard class.
pub(crate) const LOGS_GB: f64 = 0.50;
