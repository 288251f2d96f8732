//! The files that user code runs from: in the zip of a Lambda function, and in the folder of the local pool's shims.

use domain::Language;
use domain::function::{Handler, Module};
use oxc_syntax::keyword::is_reserved_keyword;

/// A shim: what both homes share, then the front of one of them.
macro_rules! shim {
    ($($file:literal),*) => { concat!($(include_str!(concat!("../shims/", $file))),*) };
}

const PYTHON_POOL: &str = shim!("core.py", "result.py", "streams.py", "left.py", "check.py", "pool.py");
const PYTHON_LAMBDA: &str = shim!("core.py", "result.py", "streams.py", "left.py", "check.py", "lambda.py");
const NODE_POOL: &str = shim!("check.js", "core.js", "result.js", "output.js", "runs.js", "pool.js");
const NODE_LAMBDA: &str = shim!("core.js", "result.js", "output.js", "runs.js", "lambda.js");

/// What a thread of Lambda's front runs, with the option that the check needs and the front can't have.
const NODE_LAMBDA_CHECK: &str = concat!(
    shim!("check.js"),
    "\nconst { parentPort, workerData } = require('node:worker_threads');\n\
     parentPort.postMessage(check(workerData.source, workerData.kind));\n"
);

/// What the `Handler` of a Lambda function is set to.
pub const LAMBDA_HANDLER_PYTHON: &str = "lambda_function.lambda_handler";
/// What the `Handler` of a Lambda function is set to.
pub const LAMBDA_HANDLER_NODE: &str = "lambda_function.handler";

/// What the `Handler` of a Lambda function in this language is set to.
pub fn lambda_handler(language: Language) -> &'static str {
    match language {
        Language::Python => LAMBDA_HANDLER_PYTHON,
        Language::Nodejs => LAMBDA_HANDLER_NODE,
    }
}

/// The files of a Lambda function's zip, each with its path in it: the user's source and what wraps it.
pub fn lambda_files(module: Module, handler: &Handler, source: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut files = vec![(file_name(module), loadable(module, handler, source))];
    match module {
        Module::Python => files.push(("lambda_function.py", PYTHON_LAMBDA.into())),
        Module::CommonJs | Module::Esm => {
            files.extend([("lambda_function.js", NODE_LAMBDA.into()), ("check.js", NODE_LAMBDA_CHECK.into())])
        }
    }
    files
}

/// What the user's file is called, in a zip and in tracebacks.
pub fn file_name(module: Module) -> &'static str {
    match module {
        Module::Python => "main.py",
        Module::CommonJs => "main.js",
        Module::Esm => "main.mjs",
    }
}

/// The source as the shims load it: without a byte order mark, and giving out its handler. Its lines keep their numbers.
pub fn loadable(module: Module, handler: &Handler, source: &[u8]) -> Vec<u8> {
    let mut code = source.strip_prefix("\u{feff}".as_bytes()).unwrap_or(source).to_vec();
    let name = &handler.name;
    match module {
        Module::CommonJs if is_plain(name) => {
            // A function at the top of a script is its export, unless the script exports one of that name itself.
            let export = format!(
                "\n;if (typeof {name} === 'function' && module.exports && \
                 module.exports.{name} === undefined) module.exports.{name} = {name};\n"
            );
            code.extend_from_slice(export.as_bytes());
        }
        Module::Esm if handler.local => {
            code.extend_from_slice(format!("\n;export {{ {name} }};\n").as_bytes());
        }
        _ => {}
    }
    code
}

/// Whether it can stand as a name in a script, and is no word of the language's own.
fn is_plain(name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    !name.starts_with(|c: char| c.is_numeric())
        && !name.is_empty()
        && name.chars().all(is_part)
        && !is_reserved_keyword(name)
}

/// What the pool starts an interpreter with: the file's name and its text.
pub fn pool_shim(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::Python => ("shim.py", PYTHON_POOL),
        Language::Nodejs => ("shim.cjs", NODE_POOL),
    }
}
