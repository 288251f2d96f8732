//! The code, as the interpreter that is to run it finds it.

use super::*;

const SEGFAULT: &str =
    r#"{"errorMessage":"RequestId: 1 Error: Runtime exited with error: signal: segmentation fault"}"#;
const KILLED: &str = r#"{"errorMessage":"RequestId: 1 Error: Runtime exited with error: signal: killed"}"#;
const EXIT: &str = r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 1 Error: Runtime exited with error: exit status 9"}"#;
const TIMEOUT: &str = r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 1 Error: Task timed out after 30.00 seconds"}"#;

fn function() -> Function {
    Function {
        id: version().function_id,
        workspace_id: WorkspaceId::from_random([1; 16]),
        owner_id: domain::UserId(1),
        name: "f".into(),
        name_key: None,
        description: String::new(),
        execution_type: domain::ExecutionType::Sync,
        endpoint: "/f".into(),
        public: false,
        http_methods: None,
        runtime_label: None,
        status: domain::Status::Pending,
        status_reason: None,
        settings: Settings::default(),
        latest_version: 3,
        oldest_version: 1,
        current: version(),
        revision: 1,
        created_at: Timestamp::from_millis(0),
        updated_at: Timestamp::from_millis(0),
        deployed_at: None,
    }
}

/// What was asked to compile the code ends in these ways, one after the other.
fn dies(ways: &[&'static str]) -> Rule {
    let mut sequence = mock!(Client::invoke).sequence();
    for &way in ways {
        sequence = sequence.output(move || {
            InvokeOutput::builder().function_error("Unhandled").payload(Blob::new(way)).build()
        });
    }
    sequence.build()
}

#[tokio::test(start_paused = true)]
async fn code_that_the_interpreter_refuses_gets_no_alias_and_is_withdrawn() {
    let died = dies(&[SEGFAULT, SEGFAULT]);
    for (asked, times, place, text) in [
        (compiles(REFUSED), 1, (2, 3), "SyntaxError: no"),
        (died, 2, (1, 1), "Python 3.13 crashed while compiling the code: The process was killed"),
    ] {
        let absent = looks(true).sequence().http_status(404, error("ResourceNotFoundException")).build();
        let settled = looks(false).sequence().output(wanted).build();
        let (publishes, published) = (publishes(), looks(true).sequence().output(wanted).build());
        let withdraws = mock!(Client::delete_function)
            .match_requests(|input| input.qualifier() == Some("7"))
            .then_output(|| {
                aws_sdk_lambda::operation::delete_function::DeleteFunctionOutput::builder().build()
            });
        let rules = [&absent, &settled, &publishes, &published, &asked, &withdraws];
        let fault = runtime(&rules).await.deploy(&function()).await.unwrap().unwrap_err();
        assert_eq!((fault.line, fault.column), place, "{fault}");
        assert!(fault.message.contains(text), "{fault}");
        assert_eq!(asked.num_calls(), times);
        assert!(rules.iter().all(|rule| rule.num_calls() == 1 || rule.num_calls() == times));
    }
}

/// The process that is to compile the code works with the function's own time, memory and variables.
#[tokio::test(start_paused = true)]
async fn a_process_that_fails_is_not_the_codes_fault() {
    for (deaths, variable, text) in [
        ([TIMEOUT, TIMEOUT], None, "could not check the code: Task timed out after 30 seconds"),
        ([KILLED, KILLED], None, "raise memory_mb"),
        ([SEGFAULT, EXIT], None, "could not check the code: The process ended (exit code 9)"),
        ([EXIT, EXIT], Some("PYTHONHOME"), "Look at PYTHONHOME."),
        ([EXIT, EXIT], Some("AWS_LAMBDA_EXEC_WRAPPER"), "Look at AWS_LAMBDA_EXEC_WRAPPER."),
    ] {
        let environment = variable.map(|name| (name.to_owned(), "x".to_owned()));
        let mut function = function();
        function.settings.environment = environment.clone().into_iter().collect();
        let there = move || {
            let mut there = wanted();
            let variables = environment.clone().into_iter().collect();
            there.environment = Some(EnvironmentResponse::builder().set_variables(Some(variables)).build());
            there
        };
        let absent = looks(true).sequence().http_status(404, error("ResourceNotFoundException")).build();
        let settled = looks(false).sequence().output(there.clone()).build();
        let (publishes, published) = (publishes(), looks(true).sequence().output(there).build());
        let asked = dies(&deaths);
        let rules = [&absent, &settled, &publishes, &published, &asked];
        let fault = runtime(&rules).await.deploy(&function).await.unwrap_err().to_string();
        assert!(fault.contains(text), "{fault}");
        assert_eq!(asked.num_calls(), 2, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_fails_once_is_asked_again() {
    let absent = looks(true).sequence().http_status(404, error("ResourceNotFoundException")).build();
    let settled = looks(false).sequence().output(wanted).build();
    let (publishes, published) = (publishes(), looks(true).sequence().output(wanted).build());
    let (died, compiles, points, lists) = (dies(&[EXIT]), compiles(COMPILED), points(), lists());
    let rules = [&absent, &settled, &publishes, &published, &died, &compiles, &points, &lists];
    runtime(&rules).await.deploy(&function()).await.unwrap().unwrap();
    assert!(rules.iter().all(|rule| rule.num_calls() == 1));
}

/// Neither is it taken then, nor is it the code's fault.
#[tokio::test(start_paused = true)]
async fn a_check_that_could_not_be_made_fails_the_deployment() {
    let strange = compiles(r#"{"output":"42"}"#);
    let lost = mock!(Client::invoke).sequence().http_status(500, error("ServiceException")).build();
    for asked in [strange, lost] {
        let absent = looks(true).sequence().http_status(404, error("ResourceNotFoundException")).build();
        let settled = looks(false).sequence().output(wanted).build();
        let (publishes, published) = (publishes(), looks(true).sequence().output(wanted).build());
        let rules = [&absent, &settled, &publishes, &published, &asked];
        let fault = runtime(&rules).await.deploy(&function()).await.unwrap_err();
        assert_eq!(fault.to_string(), "AWS Lambda could not check the code; try again");
    }
}
