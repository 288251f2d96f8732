//! What is generated of the code for AWS: per API document its OpenAPI document and a nested stack with every route as a
//! Lambda function of its own. `make generate` writes both; a test fails where they are stale.

pub mod access;
pub mod routes;
pub mod stack;

use std::path::{Path, PathBuf};

use serde_json::Value;
use utoipa::openapi::OpenApi;
use web::Document;

/// Every API document: its name (its crate's folder, its stack's file) and what it says.
pub fn apis() -> Vec<(&'static str, OpenApi)> {
    let openapi = |document: &&Document| (document.name, (document.api)().openapi().clone());
    catalogue::DOCUMENTS.iter().map(openapi).collect()
}

/// Every generated file, with what is to be in it.
///
/// # Panics
/// Where a document can't be written as JSON, which no document made of code can't.
pub fn files() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let of = |(api, doc): (&str, OpenApi)| {
        let mut json = serde_json::to_value(&doc).expect("a document made of code is plain JSON");
        put_extensions_last(&mut json);
        let json = format!("{json:#}");
        [
            (folder.join(format!("openapi/{api}.json")), json + "\n"),
            (folder.join(format!("{api}.yaml")), stack::stack(api, &routes::routes(&doc))),
        ]
    };
    apis().into_iter().flat_map(of).collect()
}

/// Extensions are in no order, so that of their names is given to them: what is generated twice is the same.
fn put_extensions_last(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(put_extensions_last),
        Value::Object(fields) => {
            let mut extensions: Vec<_> =
                fields.keys().filter(|name| name.starts_with("x-")).cloned().collect();
            extensions.sort();
            for name in extensions {
                if let Some(extension) = fields.shift_remove(&name) {
                    fields.insert(name, extension);
                }
            }
            fields.values_mut().for_each(put_extensions_last);
        }
        _ => {}
    }
}
