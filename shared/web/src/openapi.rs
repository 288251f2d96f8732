//! What an OpenAPI document says of every route alike, so that no route has to.

use domain::limits;
use http::Method;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, Ref, RefOr, Schema};

use crate::Style;
use crate::layers::route::Mode;

/// The name of the security scheme of access tokens: `security(("user" = []))`.
pub const USER: &str = "user";
/// The name of the security scheme of workspace keys: `security(("workspace_key" = []))`.
pub const WORKSPACE_KEY: &str = "workspace_key";

/// The extension that names what an operation touches: what its function on AWS may do is made of it.
pub const ACCESS: &str = "x-access";
/// The extension of an operation whose last path parameter takes the rest of the path, which OpenAPI has no word for.
pub const GREEDY: &str = "x-greedy";
/// The extension of an operation whose bodies pass as they come: how many bytes a request's may have.
pub const STREAMING: &str = "x-streaming";
/// The extension of an operation that shares its handler with others of the same path: the name of their route.
pub const ROUTE: &str = "x-route";

pub(crate) fn components(style: &Style) -> Components {
    let bearer = |format: &str, description: &str| {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format(format);
        SecurityScheme::Http(scheme.description(Some(description)).build())
    };
    let mut components = Components::new();
    components.add_security_scheme(USER, bearer("JWT", "An access token, as `POST /users/login` answers it"));
    components.add_security_scheme(WORKSPACE_KEY, bearer("frk_…", "A workspace's auth key"));
    for (name, schema) in [(style.error)(), (style.invalid)()] {
        components.schemas.insert(name.to_owned(), schema);
    }
    components
}

/// Adds the answers that follow from an operation's shape, and the bodies of those that have none.
pub(crate) fn complete(operation: &mut Operation, style: &Style, path: &str, method: &Method, mode: Mode) {
    let idempotent = mode == Mode::Idempotent;
    let secured = operation.security.as_ref().is_some_and(|needed| !needed.is_empty());
    let reads_body = operation.request_body.is_some();
    let mut implied = vec![("503", "The service is overloaded or partly unavailable. Try again later")];
    if secured {
        implied.push(("401", "The token or key is missing or not valid"));
    }
    if path.contains('{') {
        implied.push(("404", "It does not exist, or belongs to another user"));
    }
    if reads_body {
        implied.push(("413", "The body is larger than 6 MB"));
    }
    if let Mode::Streaming { max_body } = mode {
        let max_body = max_body.unwrap_or(limits::REQUEST_BODY as u64);
        extend(operation, STREAMING, serde_json::json!({ "maxRequestBytes": max_body }));
        if !method.is_safe() {
            implied.push(("400", "The body came too slowly, or the request has an Idempotency-Key"));
        }
    }
    let invalid = style.invalid_status.as_str();
    if reads_body || idempotent || operation.parameters.as_ref().is_some_and(|all| !all.is_empty()) {
        implied.push((invalid, "The input is not valid. Every error in it is listed"));
    }
    if path.contains("{*") {
        extend(operation, GREEDY, serde_json::Value::Bool(true));
    }
    if idempotent {
        let mut access = access(operation);
        access.push("idempotency:keep".to_owned());
        extend(operation, ACCESS, access.into());
        implied.push(("422", "This Idempotency-Key was used for another request"));
        implied.push(("409", "A request with this Idempotency-Key is still running"));
        operation.parameters.get_or_insert_default().push(idempotency_key());
    }
    for (status, description) in implied {
        let absent = || RefOr::T(ResponseBuilder::new().description(description).build());
        operation.responses.responses.entry(status.to_owned()).or_insert_with(absent);
    }
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        // OpenAPI wants one of every response.
        if response.description.is_empty() {
            response.description = "Done".to_owned();
        }
        if !status.starts_with(['4', '5']) || !response.content.is_empty() {
            continue;
        }
        let named = |(name, _): (&str, _)| Ref::from_schema_name(name);
        let schema: RefOr<Schema> = match status.as_str() {
            "422" if idempotent && invalid == "422" => {
                AnyOfBuilder::new().item(named((style.invalid)())).item(named((style.error)())).into()
            }
            status if status == invalid => named((style.invalid)()).into(),
            _ => named((style.error)()).into(),
        };
        let content = ContentBuilder::new().schema(Some(schema)).build();
        response.content.insert("application/json".to_owned(), content.into());
        let header = |kind, text: &str| {
            let schema = ObjectBuilder::new().schema_type(kind);
            HeaderBuilder::new().schema(Some(schema)).description(Some(text)).build()
        };
        match status.as_str() {
            "401" => {
                let challenge = header(Type::String, "`Bearer`");
                response.headers.insert("WWW-Authenticate".to_owned(), challenge.into());
            }
            "429" | "503" => {
                let seconds = header(Type::Integer, "Seconds to wait before another try");
                response.headers.insert("Retry-After".to_owned(), seconds.into());
            }
            _ => {}
        }
    }
}

/// A path without the verb after its last parameter: what a router that knows no such verbs has to match.
pub fn without_verb(path: &str) -> &str {
    match path.rsplit_once("}:") {
        Some((before, verb)) if !verb.contains('/') => &path[..=before.len()],
        _ => path,
    }
}

/// What an operation says it touches.
pub fn access(operation: &Operation) -> Vec<String> {
    let declared = operation.extensions.as_ref().and_then(|extensions| extensions.get(ACCESS));
    let declared = declared.and_then(serde_json::Value::as_array).into_iter().flatten();
    declared.filter_map(|access| access.as_str().map(str::to_owned)).collect()
}

pub(crate) fn extend(operation: &mut Operation, name: &str, value: serde_json::Value) {
    operation.extensions.get_or_insert_default().insert(name.to_owned(), value);
}

fn idempotency_key() -> RefOr<utoipa::openapi::path::Parameter> {
    let hours = limits::IDEMPOTENCY.as_secs() / 3600;
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(255))
        .pattern(Some("^[ -~]{1,255}$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some(format!(
            "Names this request: sent again within {hours} hours it is not done again, and gets the first answer"
        )))
        .schema(Some(text))
        .build()
        .into()
}
