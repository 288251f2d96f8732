//! What the tests against an engine or an emulator share.
#![allow(dead_code, reason = "every test binary uses a part of it")]

use aws_config::SdkConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};

/// The SDK's settings for what listens at `endpoint`.
pub(crate) fn sdk(endpoint: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .build()
}

/// Where an emulator of AWS listens, as `FUNCTION_RUNNER_EMULATOR_URL` says. Without it a test has nothing to test
/// against, and says so.
pub(crate) fn emulator(test: &str) -> Option<SdkConfig> {
    match std::env::var("FUNCTION_RUNNER_EMULATOR_URL") {
        Ok(url) if !url.is_empty() => Some(sdk(&url)),
        _ => {
            use std::io::Write;
            let text = format!(
                "SKIPPED {test}: FUNCTION_RUNNER_EMULATOR_URL is not set (see shared/aws/README.md)\n"
            );
            // Straight to the terminal: what a test that passes prints is not shown.
            std::io::stderr().write_all(text.as_bytes()).expect("stderr");
            None
        }
    }
}

/// A name that nothing else bears.
pub(crate) fn fresh(what: &str) -> String {
    format!("{what}-{}", uuid::Uuid::new_v4().simple())
}

/// Makes the table as `template.yaml` has it.
pub(crate) async fn create_table(sdk: &SdkConfig, name: &str) {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
        ProjectionType, ScalarAttributeType,
    };
    let key = |name: &str, kind| {
        KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("a key element")
    };
    let index = |index: &str| {
        GlobalSecondaryIndex::builder()
            .index_name(index)
            .key_schema(key(&format!("{index}PK"), KeyType::Hash))
            .key_schema(key(&format!("{index}SK"), KeyType::Range))
            .projection(Projection::builder().projection_type(ProjectionType::All).build())
            .build()
            .expect("an index")
    };
    let attributes = ["PK", "SK", "GSI1PK", "GSI1SK", "GSI2PK", "GSI2SK"].map(|name| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .expect("an attribute")
    });
    aws_sdk_dynamodb::Client::new(sdk)
        .create_table()
        .table_name(name)
        .set_attribute_definitions(Some(attributes.into()))
        .key_schema(key("PK", KeyType::Hash))
        .key_schema(key("SK", KeyType::Range))
        .global_secondary_indexes(index("GSI1"))
        .global_secondary_indexes(index("GSI2"))
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .expect("CreateTable");
}
