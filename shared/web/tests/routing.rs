//! Which route answers a path, and in whose words.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use axum::response::{IntoResponse, Response};
use domain::Error;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use support::style::STYLE;
use support::{Server, api::App};
use utoipa::IntoParams;
use utoipa_axum::routes;
use web::{Api, Json, Path, Site, Style};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct Named {
    name: String,
}

/// One machine
#[utoipa::path(get, path = "/v1/machines/{name}", operation_id = "get", params(Named), responses((status = 200)))]
async fn get(Path(path): Path<Named>) -> Json<[String; 2]> {
    Json(["get".to_owned(), path.name])
}

/// Starts one
#[utoipa::path(post, path = "/v1/machines/{name}:start", operation_id = "start", params(Named), responses((status = 200)))]
async fn start(Path(path): Path<Named>) -> Json<[String; 2]> {
    Json(["start".to_owned(), path.name])
}

/// Stops one
#[utoipa::path(post, path = "/v1/machines/{name}:stop", operation_id = "stop", params(Named), responses((status = 200)))]
async fn stop(Path(path): Path<Named>) -> Json<[String; 2]> {
    Json(["stop".to_owned(), path.name])
}

/// All models
#[utoipa::path(get, path = "/v1/models/", operation_id = "models", responses((status = 200)))]
async fn models() -> Json<[String; 0]> {
    Json([])
}

const fn styled(render: fn(&Error, &str) -> Response) -> Style {
    Style { render, ..STYLE }
}

fn machines() -> Api<App> {
    let words = |error: &Error, _: &str| (web::style::status(&error.kind), "machines").into_response();
    Api::new("Machines", "", styled(words))
        .below("/v1")
        .below("/v1/machines")
        .route(routes!(get))
        .route(routes!(start))
        .route(routes!(stop))
}

fn models_api() -> Api<App> {
    let words = |error: &Error, _: &str| (web::style::status(&error.kind), "models").into_response();
    Api::new("Models", "", styled(words)).below("/v1/models").route(routes!(models))
}

async fn server() -> Server {
    Server::serving(web::Config::default(), |web, shelf| {
        let app = App { web: web.clone(), shelf };
        Site::new(web, STYLE).api(machines(), app.clone()).api(models_api(), app).docs()
    })
    .await
}

#[tokio::test]
async fn a_verb_follows_a_name_after_a_colon() {
    let server = server().await;
    let ask = async |method: &Method, path: &str| Server::send(server.request(method.clone(), path)).await;
    for (method, path, answer) in [
        (Method::GET, "/v1/machines/a", json!(["get", "a"])),
        (Method::POST, "/v1/machines/a:start", json!(["start", "a"])),
        (Method::POST, "/v1/machines/a:stop/", json!(["stop", "a"])),
        (Method::POST, "/v1/machines/a:stop?x=y", json!(["stop", "a"])),
        (Method::POST, "/v1/machines/a%3Ab:stop", json!(["stop", "a:b"])),
        // What is no verb of a route is part of the name.
        (Method::GET, "/v1/machines/a:b", json!(["get", "a:b"])),
        (Method::GET, "/v1/machines/a%3Astart", json!(["get", "a:start"])),
        (Method::GET, "/v1/machines/:start", json!(["get", ":start"])),
    ] {
        assert_eq!(ask(&method, path).await.json(), answer, "{path}");
    }
    for (method, path, allow) in [
        (Method::GET, "/v1/machines/a:start", Some("POST")),
        (Method::POST, "/v1/machines/a:b", Some("GET,HEAD")),
        (Method::POST, "/v1/machines/a", Some("GET,HEAD")),
    ] {
        let answer = ask(&method, path).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, allow), "{path}");
    }
    for path in ["/v1/machines/a/:start", "/v1/machines/a/b:start", "/v1/models/a:start"] {
        assert_eq!(ask(&Method::POST, path).await.status, 404, "{path}");
    }
    let doc = ask(&Method::GET, "/openapi.json").await.json();
    let paths: Vec<_> = doc["paths"].as_object().unwrap().keys().cloned().collect();
    let documented =
        ["/v1/machines/{name}", "/v1/machines/{name}:start", "/v1/machines/{name}:stop", "/v1/models/"];
    assert_eq!(paths, documented);
    assert_eq!(doc["paths"]["/v1/machines/{name}:start"]["post"]["operationId"], Value::from("start"));
}

#[tokio::test]
async fn what_is_not_there_is_told_by_whose_it_would_be() {
    let server = server().await;
    for (method, path, status, words) in [
        (Method::GET, "/v1/machines/a/b", 404, "machines"),
        (Method::GET, "/v1/machines", 404, "machines"),
        (Method::DELETE, "/v1/machines/a", 405, "machines"),
        (Method::GET, "/v1/models/a", 404, "models"),
        (Method::GET, "/v1/models/a/b/", 404, "models"),
        (Method::DELETE, "/v1/models", 405, "models"),
        // The longest prefix decides, and a prefix ends at a slash.
        (Method::GET, "/v1/modelsx", 404, "machines"),
        (Method::GET, "/v1", 404, "machines"),
        (Method::GET, "/v1/", 404, "machines"),
    ] {
        let answer = Server::send(server.request(method, path)).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (status, words), "{path}");
    }
    for path in ["/v2", "/v1x", "/"] {
        let answer = Server::send(server.request(Method::GET, path)).await;
        assert_eq!(answer.detail(), (404, json!("Not Found")), "{path}");
    }
}
