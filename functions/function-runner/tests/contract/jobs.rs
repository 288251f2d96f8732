//! `/jobs`

use serde_json::{Value, json};
use testkit::{Client, ECHO_PY, Server, poll};

/// An ASYNC function whose runs take `for` seconds.
async fn slow(user: &Client) -> String {
    let code = "import time\ndef handler(event):\n    time.sleep(event['for'])\n    return event";
    let fields = json!({"runtime": "PYTHON", "code": code, "execution_type": "ASYNC"});
    user.function_with(&user.workspace().await, fields).await
}

async fn submit(user: &Client, function: &str, seconds: f64) -> Value {
    let accepted = user.post(&format!("/functions/{function}/invoke"), &json!({"for": seconds})).await;
    accepted.expect(202)["job_id"].clone()
}

#[tokio::test]
async fn a_pending_job_is_cancelled_and_never_runs() {
    let user = Server::shared().user().await;
    let function = slow(&user).await;
    let mut jobs = Vec::new();
    for _ in 0..12 {
        jobs.push(submit(&user, &function, 1.0).await);
    }
    // A worker may be quicker, where many run at once: then the next one.
    let (last, cancelled) = poll("a job is still pending", async || {
        let job = submit(&user, &function, 1.0).await;
        let cancelled = user.post(&format!("/jobs/{job}/cancel"), &json!({})).await;
        if cancelled.status == 200 {
            return Some((job, cancelled.json()));
        }
        assert_eq!(cancelled.expect(409)["code"], "JOB_NOT_PENDING");
        jobs.push(job);
        None
    })
    .await;
    assert_eq!((&cancelled["status"], &cancelled["attempts"]), (&json!("cancelled"), &json!(0)));
    assert!(cancelled["completed_at"].is_string() && cancelled["started_at"].is_null());
    let again = user.post(&format!("/jobs/{last}/cancel"), &json!({})).await;
    assert_eq!(again.expect(409)["code"], "JOB_NOT_PENDING");
    for job in &jobs {
        assert_eq!(user.finished(job).await["status"], "success");
    }
    let listed = user.get(&format!("/functions/{function}/jobs?status=cancelled")).await.expect(200);
    assert_eq!((&listed["jobs"][0]["id"], &listed["total"]), (&last, &json!(1)));
    let counted = user.get(&format!("/functions/{function}/metrics")).await.expect(200);
    assert_eq!(counted["total_executions"], jobs.len());
}

#[tokio::test]
async fn what_has_begun_or_is_over_is_not_cancelled() {
    let user = Server::shared().user().await;
    let function = slow(&user).await;
    let job = submit(&user, &function, 2.0).await;
    poll("the job runs", async || {
        (user.get(&format!("/jobs/{job}")).await.expect(200)["status"] == "running").then_some(())
    })
    .await;
    user.post(&format!("/jobs/{job}/cancel"), &json!({})).await.expect(409);
    assert_eq!(user.finished(&job).await["status"], "success");
    user.post(&format!("/jobs/{job}/cancel"), &json!({})).await.expect(409);
}

#[tokio::test]
async fn a_job_is_done_again_on_its_own_version() {
    let user = Server::shared().user().await;
    let function = user.function("PYTHON", "def handler(event):\n    return [1, event]").await;
    let first = user.invoke(&function, &json!("x")).await;
    let path = format!("/functions/{function}");
    user.put(&path, &json!({"code": "def handler(event):\n    return [2, event]"})).await.expect(200);
    let again = user.post(&format!("/jobs/{}/retry", first["job_id"]), &json!({})).await.expect(200);
    assert_eq!((&again["output"], &again["version"]), (&json!([1, "x"]), &json!(1)));
    assert_ne!(again["job_id"], first["job_id"]);
    // Of an ASYNC function, it is queued.
    user.put(&path, &json!({"execution_type": "ASYNC"})).await.expect(200);
    let queued = user.post(&format!("/jobs/{}/retry", first["job_id"]), &json!({})).await.expect(202);
    assert_eq!(user.finished(&queued["job_id"]).await["output"], json!([1, "x"]));
}

#[tokio::test]
async fn ids_that_are_none_and_unknown_ones() {
    let user = Server::shared().user().await;
    for (id, kind) in [
        ("x", "int_parsing"),
        ("1.5", "int_parsing"),
        ("0", "greater_than_equal"),
        ("-1", "greater_than_equal"),
        ("9007199254740992", "less_than_equal"),
    ] {
        let faults = user.get(&format!("/jobs/{id}")).await.faults();
        assert_eq!(faults, [("path.id".to_owned(), kind.to_owned())], "{id}");
    }
    assert_eq!(user.get("/jobs/4503599627370496").await.expect(404)["detail"], "Job not found");
    for action in ["cancel", "retry"] {
        user.post(&format!("/jobs/4503599627370496/{action}"), &json!({})).await.expect(404);
        user.post(&format!("/jobs/x/{action}"), &json!({})).await.expect(422);
    }
}

#[tokio::test]
async fn a_functions_jobs_are_listed_newest_first_and_by_status() {
    let user = Server::shared().user().await;
    let code = "def handler(event):\n    if event % 2: raise ValueError(event)\n    return event";
    let function = user.function("PYTHON", code).await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.insert(0, user.invoke(&function, &json!(n)).await["job_id"].clone());
    }
    let path = format!("/functions/{function}/jobs");
    let of = |listed: &Value| {
        listed["jobs"].as_array().unwrap().iter().map(|job| job["id"].clone()).collect::<Vec<_>>()
    };
    let all = user.get(&path).await.expect(200);
    assert_eq!((of(&all), &all["total"], &all["next_cursor"]), (ids.clone(), &json!(5), &json!(null)));
    let failed = user.get(&format!("{path}?status=error")).await.expect(200);
    assert_eq!((of(&failed), &failed["total"]), (vec![ids[1].clone(), ids[3].clone()], &json!(2)));
    assert!(failed["jobs"][0]["error"].as_str().unwrap().contains("ValueError: 3"));
    let none = user.get(&format!("{path}?status=pending")).await.expect(200);
    assert_eq!((&none["jobs"], &none["total"]), (&json!([]), &json!(0)));
    assert_eq!(
        user.get(&format!("{path}?status=done")).await.faults(),
        [("query.status".into(), "enum".into())]
    );
}

#[tokio::test]
async fn a_job_shows_what_it_was() {
    let user = Server::shared().user().await;
    let function = user.function("PYTHON", ECHO_PY).await;
    let ran = user.invoke(&function, &json!({})).await;
    let job = user.get(&format!("/jobs/{}", ran["job_id"])).await.expect(200);
    let fields: std::collections::BTreeSet<_> = job.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        fields,
        [
            "attempts",
            "cold_start",
            "completed_at",
            "created_at",
            "duration",
            "error",
            "function_id",
            "id",
            "input",
            "logs",
            "output",
            "started_at",
            "status",
            "version"
        ]
        .into()
    );
}
