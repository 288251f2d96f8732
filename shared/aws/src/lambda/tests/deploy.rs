//! What is deployed, and when.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_made_waited_for_and_called() {
    let missing =
        mock!(Client::invoke).sequence().http_status(404, error("ResourceNotFoundException")).build();
    let absent = looks(false).sequence().http_status(404, error("ResourceNotFoundException")).build();
    let creates = mock!(Client::create_function)
        .match_requests(|input| {
            let code = input.code().unwrap();
            code.s3_bucket() == Some("bucket")
                && code.s3_key() == Some(package().key(version().function_id).as_str())
                && input.role() == Some(ROLE)
                && input.timeout() == Some(30)
                && input.memory_size() == Some(256)
        })
        .then_output(|| CreateFunctionOutput::builder().build());
    let pending = || GetFunctionConfigurationOutput::builder().state(State::Pending).build();
    let settles = looks(false).sequence().output(pending).times(3).output(wanted).build();
    let published = looks(true)
        .match_requests(|input| input.qualifier() == Some("7"))
        .sequence()
        .output(pending)
        .output(wanted)
        .build();
    let (publishes, compiles, points) = (publishes(), compiles(COMPILED), points());
    let (lists, answers) = (lists(), answers());
    let rules =
        [&missing, &absent, &creates, &settles, &publishes, &published, &compiles, &points, &lists, &answers];
    let runtime = runtime(&rules).await;
    let outcome = runtime.invoke(invocation("{}", Duration::ZERO)).await.unwrap();
    assert_eq!(outcome.result.as_deref(), Ok("42"));
    assert!(rules.iter().all(|rule| rule.num_calls() > 0));
    assert!(runtime.blobs.get(&package().key(version().function_id)).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn another_deployment_under_way_is_waited_for() {
    let missing =
        mock!(Client::invoke).sequence().http_status(404, error("ResourceNotFoundException")).build();
    let older = || {
        let mut older = wanted();
        older.code_sha256 = Some("another".into());
        older.timeout = Some(3);
        older
    };
    let looks_first = looks(false).sequence().output(older).build();
    let refused = mock!(Client::update_function_code)
        .sequence()
        .http_status(409, error("ResourceConflictException"))
        .build();
    let looks_again = looks(false).sequence().output(older).build();
    let updates_code = mock!(Client::update_function_code)
        .match_requests(|input| input.revision_id() == Some("revision"))
        .then_output(|| UpdateFunctionCodeOutput::builder().build());
    let in_progress = || {
        let mut there = wanted();
        there.timeout = Some(3);
        there.last_update_status = Some(LastUpdateStatus::InProgress);
        there
    };
    let misconfigured = || {
        let mut there = wanted();
        there.timeout = Some(3);
        there
    };
    let looks_on = looks(false).sequence().output(in_progress).output(misconfigured).build();
    let updates = mock!(Client::update_function_configuration)
        .match_requests(|input| input.timeout() == Some(30) && input.revision_id() == Some("revision"))
        .then_output(|| UpdateFunctionConfigurationOutput::builder().build());
    let settles = looks(false).sequence().output(wanted).build();
    let published = looks(true).sequence().output(wanted).build();
    let (publishes, compiles, points) = (publishes(), compiles(COMPILED), points());
    let (lists, answers) = (lists(), answers());
    let runtime = runtime(&[
        &missing,
        &looks_first,
        &refused,
        &looks_again,
        &updates_code,
        &looks_on,
        &updates,
        &settles,
        &publishes,
        &published,
        &compiles,
        &points,
        &lists,
        &answers,
    ])
    .await;
    let outcome = runtime.invoke(invocation("{}", Duration::ZERO)).await.unwrap();
    assert_eq!(outcome.result.as_deref(), Ok("42"));
}

#[tokio::test(start_paused = true)]
async fn what_lambda_can_not_set_up_fails_without_internals() {
    let missing =
        mock!(Client::invoke).sequence().http_status(404, error("ResourceNotFoundException")).build();
    let broken = || {
        let mut there = wanted();
        there.state = Some(State::Failed);
        there.state_reason = Some(format!("{ROLE} is not what it should be"));
        there
    };
    let looks = looks(false).sequence().output(broken).build();
    let fault =
        runtime(&[&missing, &looks]).await.invoke(invocation("{}", Duration::ZERO)).await.unwrap_err();
    assert_eq!(fault.to_string(), "AWS Lambda could not set the function up");
}

#[tokio::test(start_paused = true)]
async fn code_that_is_gone_is_said_to_be() {
    let missing =
        mock!(Client::invoke).sequence().http_status(404, error("ResourceNotFoundException")).build();
    let runtime = runtime(&[&missing]).await;
    runtime.blobs.delete_prefix("code").await.unwrap();
    let fault = runtime.invoke(invocation("{}", Duration::ZERO)).await.unwrap_err();
    assert!(matches!(&fault, RuntimeError::Failed(text) if text.contains("version 3 is gone")), "{fault:?}");
}

#[tokio::test(start_paused = true)]
async fn everything_that_makes_a_release_is_in_its_alias() {
    let runtime = runtime(&[]).await;
    let alias = |version: &Version, settings: &Settings| runtime.release(version, settings).alias();
    let (version, settings) = (version(), Settings::default());
    let plain = alias(&version, &settings);
    assert_eq!(plain, alias(&version, &settings));
    // How often a job is tried is not Lambda's affair.
    assert_eq!(plain, alias(&version, &Settings { max_attempts: 9, ..settings.clone() }));
    let environment = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
    let others = [
        alias(&Version { code_sha256: "cd".repeat(32), ..version.clone() }, &settings),
        alias(&Version { version: 4, ..version.clone() }, &settings),
        alias(&version, &Settings { memory_mb: 512, ..settings.clone() }),
        alias(&version, &Settings { timeout_seconds: 31, ..settings.clone() }),
        alias(&version, &Settings { environment: environment("A", "BC"), ..settings.clone() }),
        alias(&version, &Settings { environment: environment("AB", "C"), ..settings.clone() }),
    ];
    // Nor are they others where Lambda is told the same.
    let long = |timeout_seconds| alias(&version, &Settings { timeout_seconds, ..settings.clone() });
    assert_eq!(long(840), long(900));
    assert_ne!(long(839), long(840));
    let all: std::collections::HashSet<_> = others.iter().chain([&plain]).collect();
    assert_eq!(all.len(), 7);
    assert!(all.iter().all(|alias| alias.len() <= 128));
}
