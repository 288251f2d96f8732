//! The blob store on S3. How objects are encrypted is the bucket's own setting.
//!
//! Needs of IAM, on the bucket: `s3:ListBucket` (without it a missing object reads as "access denied", and a prefix
//! can't be deleted); on its objects: `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject`. In a versioned bucket what is
//! deleted goes once the bucket's lifecycle rule says so.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use ports::blobs::is_valid_key;
use ports::{Blobs, PortError};

use crate::retry::describe;

/// [`Blobs`] in an S3 bucket.
#[derive(Clone, Debug)]
pub struct S3Blobs {
    client: Client,
    bucket: String,
}

impl S3Blobs {
    /// The bucket of this name. With `path_style`, as emulators need it, its name stands in the path.
    pub fn new(sdk: &SdkConfig, bucket: impl Into<String>, path_style: bool) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(10))
            .build();
        let config = aws_sdk_s3::config::Builder::from(sdk)
            .force_path_style(path_style)
            .timeout_config(timeouts)
            .build();
        Self { client: Client::from_conf(config), bucket: bucket.into() }
    }

    /// Removes objects, at most 1000 of them.
    async fn delete(&self, keys: Vec<ObjectIdentifier>) -> Result<(), PortError> {
        let delete = Delete::builder().set_objects(Some(keys)).quiet(true).build().map_err(fault)?;
        let answer = self.client.delete_objects().bucket(&self.bucket).delete(delete).send().await;
        let answer = answer.map_err(|error| fault(describe(&error)))?;
        match answer.errors().first() {
            None => Ok(()),
            Some(error) => Err(fault(format!(
                "could not delete {}: {}",
                error.key().unwrap_or_default(),
                error.message().or(error.code()).unwrap_or_default()
            ))),
        }
    }
}

#[async_trait]
impl Blobs for S3Blobs {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), PortError> {
        check(key)?;
        let request = self.client.put_object().bucket(&self.bucket).key(key).body(bytes.into());
        request.send().await.map(drop).map_err(|error| fault(describe(&error)))
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, PortError> {
        check(key)?;
        match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(object) => Ok(Some(object.body.collect().await.map_err(fault)?.into_bytes())),
            Err(SdkError::ServiceError(answer)) if matches!(answer.err(), GetObjectError::NoSuchKey(_)) => {
                Ok(None)
            }
            Err(error) => Err(fault(describe(&error))),
        }
    }

    async fn delete_prefix(&self, prefix: &str) -> Result<(), PortError> {
        check(prefix)?;
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(format!("{prefix}/"))
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault(describe(&error)))?;
            let keys = page.contents().iter().filter_map(|object| object.key());
            let keys: Vec<_> =
                keys.filter_map(|key| ObjectIdentifier::builder().key(key).build().ok()).collect();
            if !keys.is_empty() {
                self.delete(keys).await?;
            }
        }
        // Last, and whether or not it is there: S3 answers the same.
        let request = self.client.delete_object().bucket(&self.bucket).key(prefix);
        request.send().await.map(drop).map_err(|error| fault(describe(&error)))
    }

    async fn health(&self) -> Result<(), PortError> {
        let answer = self.client.head_bucket().bucket(&self.bucket).send().await;
        answer.map(drop).map_err(|error| fault(describe(&error)))
    }
}

fn check(key: &str) -> Result<(), PortError> {
    if is_valid_key(key) { Ok(()) } else { Err(fault(format!("no key for a blob: {key:?}"))) }
}

fn fault(reason: impl ToString) -> PortError {
    PortError::new("blobs", reason)
}
