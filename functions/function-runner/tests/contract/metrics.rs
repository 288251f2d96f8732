//! Metrics of functions and workspaces.

use serde_json::{Value, json};
use testkit::Server;

const SOMETIMES: &str = "def handler(event):\n    if event: raise ValueError('no')\n    return 1";

#[tokio::test]
async fn runs_are_counted_for_the_function_and_its_workspace() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let of_function = json!({"runtime": "PYTHON", "code": SOMETIMES});
    let (one, other) = (
        user.function_with(&workspace, of_function.clone()).await,
        user.function_with(&workspace, of_function).await,
    );
    for event in [0, 0, 1] {
        user.invoke(&one, &json!(event)).await;
    }
    user.invoke(&other, &json!(0)).await;

    let counted = user.get(&format!("/functions/{one}/metrics")).await.expect(200);
    for (field, value) in [
        ("function_id", json!(one)),
        ("total_executions", json!(3)),
        ("success_count", json!(2)),
        ("error_count", json!(1)),
        ("success_rate", json!(0.6667)),
        ("cold_starts", json!(1)),
        ("period", json!("24h")),
    ] {
        assert_eq!(counted[field], value, "{field} of {counted}");
    }
    for field in ["avg_duration", "p50_duration", "p95_duration", "p99_duration"] {
        assert!(counted[field].as_f64().is_some_and(|ms| ms > 0.0), "{field} of {counted}");
    }
    assert!(counted["p50_duration"].as_f64() <= counted["p99_duration"].as_f64());
    assert!(counted["last_executed_at"].is_string());
    assert_eq!(sum(&counted, "executions"), 3);
    assert_eq!(sum(&counted, "errors"), 1);

    let counted = user.get(&format!("/workspaces/{workspace}/metrics?period=7d")).await.expect(200);
    for (field, value) in [
        ("workspace_id", json!(workspace)),
        ("total_functions", json!(2)),
        ("total_executions", json!(4)),
        ("success_rate", json!(0.75)),
        ("period", json!("7d")),
    ] {
        assert_eq!(counted[field], value, "{field} of {counted}");
    }
    assert!(counted["total_execution_time"].as_f64().is_some_and(|ms| ms > 0.0));
    assert_eq!((sum(&counted, "executions"), counted["series"].as_array().unwrap().len()), (4, 8));
    user.delete(&format!("/functions/{other}")).await.expect(200);
    assert_eq!(user.get(&format!("/workspaces/{workspace}/metrics")).await.expect(200)["total_functions"], 1);
}

fn sum(counted: &Value, field: &str) -> u64 {
    counted["series"].as_array().unwrap().iter().map(|point| point[field].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn nothing_ran_is_zeroes_and_not_an_error() {
    let user = Server::shared().user().await;
    let workspace = user.workspace().await;
    let function = user.function_with(&workspace, json!({"runtime": "PYTHON", "code": SOMETIMES})).await;
    for (period, points) in [("1h", 2), ("24h", 25), ("7d", 8), ("30d", 31)] {
        let counted = user.get(&format!("/functions/{function}/metrics?period={period}")).await.expect(200);
        assert_eq!((&counted["total_executions"], &counted["success_rate"]), (&json!(0), &json!(0.0)));
        assert_eq!((&counted["avg_duration"], &counted["last_executed_at"]), (&json!(0.0), &json!(null)));
        assert_eq!(counted["series"].as_array().unwrap().len(), points, "{period}");
        user.get(&format!("/workspaces/{workspace}/metrics?period={period}")).await.expect(200);
    }
    for path in [format!("/functions/{function}/metrics"), format!("/workspaces/{workspace}/metrics")] {
        assert_eq!(
            user.get(&format!("{path}?period=1y")).await.faults(),
            [("query.period".into(), "enum".into())]
        );
    }
}
