//! The routes of an API document as API Gateway and Lambda will have them.

use utoipa::openapi::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use web::openapi::{GREEDY, ROUTE, access, without_verb};

/// A route, and the function behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `workspaces.auth_keys.create`.
    pub name: String,
    /// Route keys: as documented, and (but for `/` and greedy paths, which match it anyway) with the slash at the end
    /// or without it, since API Gateway takes these for two paths. A GET has HEAD beside it, as HTTP wants.
    pub keys: Vec<String>,
    /// What it touches.
    pub access: Vec<String>,
    /// Its function's memory, in MB: `x-memory`. With the memory comes the processor.
    pub memory: u64,
}

/// What a route's function has, unless `x-memory` says otherwise: a seventh of a processor, where the work is waiting
/// for DynamoDB.
const MEMORY: u64 = 256;

impl Route {
    /// `WorkspacesAuthKeysCreate`.
    pub fn logical_id(&self) -> String {
        let words = self.name.split(['.', '_']).filter(|word| !word.is_empty());
        words.map(capitalised).collect()
    }

    /// `workspaces-auth-keys-create`.
    pub fn dashed(&self) -> String {
        self.name.replace(['.', '_'], "-")
    }
}

/// `word` as `Word`, for names of resources.
pub(crate) fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
    first.to_uppercase() + rest
}

/// All routes of a document. An operation that answers to several methods by one handler
/// (`x-route` names it) is one route for any method.
pub fn routes(doc: &OpenApi) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    for (path, item) in &doc.paths.paths {
        for (method, operation) in methods(item) {
            let id = operation.operation_id.clone().unwrap_or_default();
            let extension = |name: &str| operation.extensions.as_ref().and_then(|all| all.get(name));
            let shared = extension(ROUTE).and_then(|name| name.as_str());
            if let Some(known) = routes.iter_mut().find(|route| Some(route.name.as_str()) == shared) {
                // One Lambda function for all methods may do what any of them needs.
                let missing: Vec<_> =
                    access(operation).into_iter().filter(|word| !known.access.contains(word)).collect();
                known.access.extend(missing);
                continue;
            }
            let is_greedy = extension(GREEDY).is_some();
            routes.push(Route {
                name: shared.unwrap_or(&id).to_owned(),
                keys: keys(if shared.is_some() { "ANY" } else { method }, path, is_greedy),
                access: access(operation),
                memory: extension("x-memory").and_then(|memory| memory.as_u64()).unwrap_or(MEMORY),
            });
        }
    }
    routes
}

fn keys(method: &str, path: &str, is_greedy: bool) -> Vec<String> {
    if is_greedy {
        let path = path.strip_suffix('}').expect("a greedy path ends with its parameter");
        return vec![format!("{method} {path}+}}")];
    }
    // API Gateway knows no suffix of a parameter: the function reads the verb.
    let path = without_verb(path);
    let paths = match path.strip_suffix('/') {
        Some("") => vec!["/".to_owned()],
        Some(bare) => vec![path.to_owned(), bare.to_owned()],
        None => vec![path.to_owned(), format!("{path}/")],
    };
    let methods: &[&str] = if method == "GET" { &["GET", "HEAD"] } else { &[method] };
    methods.iter().flat_map(|method| paths.iter().map(move |path| format!("{method} {path}"))).collect()
}

/// A path's operations, each with its method.
pub fn methods(item: &PathItem) -> Vec<(&'static str, &Operation)> {
    let all = [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PUT", &item.put),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
        ("HEAD", &item.head),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?))).collect()
}
