//! One call of what is deployed.

use super::*;

#[tokio::test(start_paused = true)]
async fn too_many_at_once_is_busy_once_patience_ends() {
    let throttled = || mock!(Client::invoke).sequence().http_status(429, error("TooManyRequestsException"));
    let always = throttled().repeatedly().build();
    let fault = runtime(&[&always]).await.invoke(invocation("{}", Duration::from_secs(3))).await.unwrap_err();
    assert!(
        matches!(fault, RuntimeError::Busy { retry_after } if retry_after == Duration::from_secs(1)),
        "{fault:?}"
    );
    assert!(always.num_calls() > 2, "{}", always.num_calls());

    let (once, answers) = (throttled().build(), answers());
    let outcome =
        runtime(&[&once, &answers]).await.invoke(invocation("{}", Duration::from_secs(3))).await.unwrap();
    assert_eq!(outcome.result.as_deref(), Ok("42"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_is_not_asked_for_again() {
    for (status, code) in [(500, "ServiceException"), (502, "EC2UnexpectedException")] {
        let lost = mock!(Client::invoke).sequence().http_status(status, error(code)).repeatedly().build();
        let fault =
            runtime(&[&lost]).await.invoke(invocation("{}", Duration::from_secs(9))).await.unwrap_err();
        assert!(matches!(fault, RuntimeError::Failed(_)), "{fault:?}");
        assert_eq!(lost.num_calls(), 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_lambda_can_not_take_fails_its_run() {
    let never = answers();
    let event = format!("\"{}\"", "x".repeat(6 * 1024 * 1024));
    let outcome = runtime(&[&never]).await.invoke(invocation(&event, Duration::ZERO)).await.unwrap();
    assert!(outcome.result.unwrap_err().contains("too large"));
    assert_eq!(never.num_calls(), 0);
}
