//! Books on a shelf: an API with one of everything.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use domain::{Fault, Field, Kind, Rule};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;
use web::{
    Api, BearerToken, Body, Caller, Fields, Input, Path, PathBody, PathQuery, Query, RawJson, Result, Source,
    Web,
};

use std::sync::Arc;

use super::stream;
use super::style::STYLE;

#[derive(Clone)]
pub struct App {
    pub web: Web,
    pub shelf: Arc<Shelf>,
}

impl FromRef<App> for Web {
    fn from_ref(app: &App) -> Self {
        app.web.clone()
    }
}

#[derive(Default)]
pub struct Shelf {
    books: Mutex<BTreeMap<u64, String>>,
    pub made: AtomicUsize,
    /// A title that begins with "slow" waits for this.
    pub go: Notify,
    pub speech: stream::Speech,
}

pub fn api() -> Api<App> {
    stream::add(Api::new("Books", "One of everything.", STYLE))
        .idempotent(routes!(create))
        .route(routes!(list))
        .route(routes!(read, replace))
        .idempotent(routes!(echo))
        .route(routes!(label))
        .route(routes!(whoami))
        .route(routes!(fail))
        .route(routes!(anything))
}

#[derive(Debug, Deserialize, ToSchema)]
struct BookCreate {
    #[schema(min_length = 1, max_length = 100, extensions(("x-form" = json!("name"))))]
    title: String,
    #[schema(minimum = 1, maximum = 5000)]
    pages: Option<u32>,
}

impl Input for BookCreate {
    fn extra(fields: &Fields<'_>) -> Vec<Fault> {
        let banned = fields.text("title").is_some_and(|title| title == "Necronomicon");
        banned.then(|| Fault::new(Field::body("title"), Rule::UnreservedName)).into_iter().collect()
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct Book {
    id: u64,
    title: String,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct BookPath {
    id: u64,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Paging {
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// Put a book on the shelf
#[utoipa::path(
    post, path = "/books/", operation_id = "books.create", tag = "Books", security(("user" = [])),
    request_body = BookCreate,
    responses((status = 200, body = Book), (status = 409, description = "There is one of that title")),
    extensions(("x-access" = json!(["table:write"]))),
)]
async fn create(State(app): State<App>, _: Caller, Body(body): Body<BookCreate>) -> Result<Json<Book>> {
    if body.title.starts_with("slow") {
        app.shelf.go.notified().await;
    }
    let id = app.shelf.made.fetch_add(1, Ordering::SeqCst) as u64 + 1;
    match body.title.as_str() {
        "taken" => return Err(domain::Error::conflict("TITLE_TAKEN", "There is one of that title").into()),
        "broken" => return Err(domain::Error::internal("the shelf fell down: secret").into()),
        "busy" => return Err(domain::Error::too_many(Duration::from_millis(1500), "Later").into()),
        _ => {}
    }
    app.shelf.books.lock().unwrap().insert(id, body.title.clone());
    Ok(Json(Book { id, title: body.title }))
}

/// All books
#[utoipa::path(
    get, path = "/books/", operation_id = "books.list", tag = "Books", security(("user" = [])), params(Paging),
    responses((status = 200, body = Vec<Book>)),
)]
async fn list(State(app): State<App>, _: Caller, Query(paging): Query<Paging>) -> Json<Vec<Book>> {
    let books = app.shelf.books.lock().unwrap();
    let all = books.iter().take(paging.limit.unwrap_or(50) as usize);
    Json(all.map(|(id, title)| Book { id: *id, title: title.clone() }).collect())
}

/// One book
#[utoipa::path(
    get, path = "/books/{id}", operation_id = "books.read", tag = "Books", security(("user" = [])),
    params(BookPath, Paging),
    responses((status = 200, body = Book)),
)]
async fn read(
    State(app): State<App>,
    _: Caller,
    PathQuery { path, query }: PathQuery<BookPath, Paging>,
) -> Result<Json<Book>> {
    let _ = query.limit;
    let title = app.shelf.books.lock().unwrap().get(&path.id).cloned();
    let title = title.ok_or_else(|| domain::Error::not_found("Book", "BOOK_NOT_FOUND"))?;
    Ok(Json(Book { id: path.id, title }))
}

/// Another title
#[utoipa::path(
    put, path = "/books/{id}", operation_id = "books.replace", tag = "Books", security(("user" = [])),
    params(BookPath), request_body = BookCreate,
    responses((status = 200, body = Book)),
)]
async fn replace(
    State(app): State<App>,
    _: Caller,
    PathBody { path, body }: PathBody<BookPath, BookCreate>,
) -> Result<Json<Book>> {
    let mut books = app.shelf.books.lock().unwrap();
    let book = books.get_mut(&path.id).ok_or_else(|| domain::Error::not_found("Book", "BOOK_NOT_FOUND"))?;
    body.title.clone_into(book);
    Ok(Json(Book { id: path.id, title: body.title }))
}

/// What came, as it came
#[utoipa::path(post, path = "/echo", operation_id = "echo", request_body = RawJson, responses((status = 200, body = RawJson)))]
async fn echo(State(app): State<App>, Body(RawJson(bytes)): Body<RawJson>) -> Response {
    app.shelf.made.fetch_add(1, Ordering::SeqCst);
    ([(header::CONTENT_TYPE, "application/json")], bytes).into_response()
}

/// A label, if any
#[utoipa::path(
    post, path = "/labels/{id}", operation_id = "label", params(("id" = Uuid, Path)),
    request_body = Option<BookCreate>, responses((status = 200, body = Option<String>)),
)]
async fn label(Path(path): Path<LabelPath>, Body(body): Body<Option<BookCreate>>) -> Json<Option<String>> {
    let _ = path.id;
    Json(body.map(|body| body.title))
}

#[derive(Deserialize, IntoParams)]
struct LabelPath {
    id: Uuid,
}

/// Who calls, from where
#[utoipa::path(get, path = "/whoami", operation_id = "whoami", responses((status = 200, body = Vec<String>)))]
async fn whoami(BearerToken(token): BearerToken, source: Source) -> Json<[Option<String>; 2]> {
    Json([token, Some(source.0.to_string())])
}

/// Fails as asked
#[utoipa::path(
    get, path = "/fail/{how}", operation_id = "fail", params(("how" = String, Path)), responses((status = 200)),
)]
async fn fail(axum::extract::Path(how): axum::extract::Path<String>) -> Result<StatusCode> {
    match how.as_str() {
        "panic" => panic!("secret"),
        "internal" => Err(domain::Error::internal("secret").into()),
        "unavailable" => Err(domain::Error::unavailable("secret").into()),
        "unprocessable" => Err(domain::Error::new(Kind::Unprocessable, "NO", "no").into()),
        "own" => Ok(StatusCode::NOT_FOUND),
        _ => Err(domain::Error::new(Kind::BadRequest, "ODD", "odd").into()),
    }
}

/// The rest of a path, by any method
#[utoipa::path(
    method(get, post, put, delete, patch), path = "/any/{*rest}", operation_id = "any",
    params(("rest" = String, Path)), responses((status = 200)),
)]
async fn anything(
    axum::Extension(written): axum::Extension<web::OriginalUri>,
    axum::extract::Path(rest): axum::extract::Path<String>,
) -> Json<[String; 2]> {
    Json([written.0.to_string(), rest])
}
