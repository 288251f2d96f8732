//! What is generated of the code: per API document its OpenAPI document and a nested stack with every route as a Lambda
//! function of its own, their place in the root template, and the list of each test suite's files. `make generate` writes
//! them; a test fails where one is stale.

pub mod access;
pub mod routes;
pub mod stack;
mod suite;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use utoipa::openapi::OpenApi;
use web::Document;

/// Every API document: its name (its crate's folder, its stack's file) and what it says.
pub fn apis() -> Vec<(&'static str, OpenApi)> {
    let openapi = |document: &&Document| (document.name, (document.api)().openapi().clone());
    catalogue::DOCUMENTS.iter().map(openapi).collect()
}

/// Every file that is generated, or of which a part is, with what is to be in it.
///
/// # Errors
/// Where a file of which a part is generated can't be read.
///
/// # Panics
/// Where a document can't be written as JSON, which no document made of code can't.
pub fn files() -> io::Result<Vec<(PathBuf, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("infra is in the repository");
    let mut files = Vec::new();
    for (name, doc) in apis() {
        let mut json = serde_json::to_value(&doc).expect("a document made of code is plain JSON");
        put_extensions_last(&mut json);
        files.push((root.join(format!("infra/openapi/{name}.json")), format!("{json:#}\n")));
        files.push((root.join(format!("infra/{name}.yaml")), stack::stack(name, &routes::routes(&doc))));
        let suite = root.join(format!("functions/{name}/tests/contract"));
        if suite.is_dir() {
            files.push((suite.join("main.rs"), suite::main(&suite)?));
        }
    }
    let template = root.join("template.yaml");
    let stacks = stack::nested(catalogue::DOCUMENTS.iter().map(|document| document.name));
    let text = with_generated(&fs::read_to_string(&template)?, &stacks);
    files.push((template, text));
    Ok(files)
}

/// A template with these lines where it says that some are generated.
fn with_generated(template: &str, lines: &str) -> String {
    let place = template.split_once("  # begin: ").and_then(|(before, rest)| {
        let (reason, rest) = rest.split_once('\n')?;
        let (_, after) = rest.split_once("  # end\n")?;
        Some((before, reason, after))
    });
    let (before, reason, after) = place.expect("the template has a place for what is generated");
    format!("{before}  # begin: {reason}\n{lines}  # end\n{after}")
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
